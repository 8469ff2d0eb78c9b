package warmer

import (
	"context"
	"errors"
)

// removeOutdated deletes what an earlier release made under another name. What is still wanted is
// made again at the same look, under its name of now: after this, so that never both are asked for.
// What is held for a target that cannot be read stays until it can be. prune deletes the rest.
func (a *applier) removeOutdated(ctx context.Context) error {
	unread := map[string]bool{}
	for _, w := range a.d.Works {
		unread[w.Key] = w.Err != nil
	}
	var errs []error
	for _, obj := range a.o.outdated {
		if unread, selected := unread[keyOf(obj)]; selected && !unread {
			errs = append(errs, a.client.Deleter.Object(ctx, obj))
		}
	}
	return errors.Join(errs...)
}
