// Package preflight finds out which doors a cluster has free.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/planner"
)

// Check checks the groups, and writes about those that are available.
func Check(
	ctx context.Context, w io.Writer, c client.Reader, groups []string, service types.NamespacedName,
) error {
	doors, err := readDoors(ctx, c, service)
	if err != nil {
		return err
	}
	var errs []error
	for _, group := range groups {
		if group == planner.ScaledObjectKind.Group {
			if !doors.keda {
				errs = append(errs, errors.New("keda.sh: this cluster has no ScaledObjects: install KEDA first"))
			}
			continue
		}
		if err := adapter.Preflight(ctx, c, group, service); err != nil {
			if owned, ok := errors.AsType[*adapter.OwnedError](err); ok {
				owned.Alternative = doors.alternative(group)
			}
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(w, "%s: available to Headstart, no other server owns it.\n", group)
	}
	if doors.keda {
		fmt.Fprintln(w, "keda.sh: KEDA is installed. The overlay keda serves ScaledObjects and claims no group.")
	}
	return errors.Join(errs...)
}
