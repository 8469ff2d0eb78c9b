package warmer

import (
	"errors"
	"fmt"

	"headstart.dev/headstart/api/v1alpha1"
)

// unseen is that something which may have been made before may not be looked for. Most often nothing was.
type unseen struct{ err error }

func (u unseen) Error() string { return u.err.Error() }
func (u unseen) Unwrap() error { return u.err }

// settle takes what a step came to beside what the step itself told, and returns what time alone may mend: that slows the looks down. Each error is taken by itself,
// so that a denial does not hide an outage. w is nil where the Forecast's own message is to stay.
func (o *outcome) settle(p *problem, w *v1alpha1.WarmForecast, what string, err error) error {
	return o.settleAs(p, w, what, "what was made before is left", err)
}

// settleAs is [outcome.settle] with what a denial comes to.
func (o *outcome) settleAs(p *problem, w *v1alpha1.WarmForecast, what, left string, err error) error {
	var failures []error
	for _, err := range each(err) {
		if no, ok := errors.AsType[unseen](err); ok {
			o.overlooked(no)
			continue
		}
		reason, remedy, known := remedyOf(err)
		message := fmt.Sprintf("%s: %s: %s: %s", what, left, brief(err), remedy)
		if !known {
			reason, message = reasonFailed, fmt.Sprintf("%s: %s: it is tried again, at least once a minute", what, brief(err))
			failures = append(failures, fmt.Errorf("%s: %w", what, err))
		}
		p.set(reason, message)
		if w != nil {
			w.Message = clip(message)
		}
	}
	return errors.Join(failures...)
}

// overlooked takes that something may be left of what was made.
func (o *outcome) overlooked(no unseen) {
	if o.unseen != "" {
		return
	}
	o.unseen = "; whether anything is left of what was made before is not known: " + brief(no.err)
	if _, remedy, known := remedyOf(no.err); known {
		o.unseen += ": " + remedy
	}
}

// each are the errors that were joined.
func each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, each(e)...)
	}
	return out
}
