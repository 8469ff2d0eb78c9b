package v1alpha1

import "fmt"

// FieldError names a field that cannot be evaluated, its value, and what to write instead.
//
// +kubebuilder:object:generate=false
type FieldError struct {
	// Field is the path of the field, such as spec.windows[0].schedule.
	Field string
	// Value is the value of the field. It is empty where the field is missing or has no short form.
	Value string
	// Remedy says what is wrong and how to correct it.
	Remedy string
}

// Error returns field, value and remedy as one sentence.
func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Remedy)
	}
	return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Remedy)
}
