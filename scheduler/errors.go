package scheduler

import (
	"errors"
	"fmt"
)

// FieldError says which field cannot be evaluated, what it says, and what to write instead.
type FieldError struct {
	// Field is the path of the field, such as spec.windows[0].schedule.
	Field string
	// Value is what the field says; empty for a field that is missing.
	Value string
	// Remedy says what is wrong and what to do about it.
	Remedy string
}

// Error names field, value and remedy.
func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Remedy)
	}
	return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Remedy)
}

// problems collects FieldErrors.
type problems []error

func (p *problems) add(field, value, remedy string, args ...any) {
	*p = append(*p, &FieldError{Field: field, Value: value, Remedy: fmt.Sprintf(remedy, args...)})
}

func (p problems) err() error { return errors.Join(p...) }
