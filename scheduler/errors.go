package scheduler

import (
	"errors"
	"fmt"

	"headstart.dev/headstart/api/v1alpha1"
)

// fieldErrors collects one [v1alpha1.FieldError] for every field that cannot be evaluated.
type fieldErrors []error

// add formats remedy with args, as fmt.Sprintf does.
func (e *fieldErrors) add(field, value, remedy string, args ...any) {
	*e = append(*e, &v1alpha1.FieldError{Field: field, Value: value, Remedy: fmt.Sprintf(remedy, args...)})
}

// err joins all errors; nil for none.
func (e fieldErrors) err() error { return errors.Join(e...) }
