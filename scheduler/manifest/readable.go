package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

// Readable rewrites a decoder's error about a value of the wrong type in the words of the file:
// which field it is, what type it has, and what type it must have. It returns every other error as
// it is.
func Readable(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	want := "something else"
	switch wrong.Type.Kind() {
	case reflect.String:
		want = "text: put it into quotes"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
	case reflect.Struct, reflect.Map:
		want = "a mapping of fields"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		want = "a whole number within range"
	case reflect.Float32, reflect.Float64:
		want = "a number"
	default:
	}
	return fmt.Errorf("%s: %s is not %s", cmp.Or(wrong.Field, "the document"), wrong.Value, want)
}

// quantities names the demands of a PeakSchedule that are not quantities. The decoder of quantities
// does not say in which field the error is.
func quantities(raw []byte) error {
	var in struct {
		Spec struct {
			Windows []struct {
				Demand map[string]any `json:"demand"`
			} `json:"windows"`
		} `json:"spec"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&in) != nil {
		return nil // decoding the whole object returns this error
	}
	var errs []error
	for i, w := range in.Spec.Windows {
		for _, name := range []string{"atLeast", "add", "atMost"} {
			value, ok := w.Demand[name]
			if !ok || value == nil {
				continue
			}
			if _, err := resource.ParseQuantity(fmt.Sprint(value)); err != nil {
				errs = append(errs, &v1alpha1.FieldError{
					Field: fmt.Sprintf("spec.windows[%d].demand.%s", i, name), Value: fmt.Sprint(value),
					Remedy: "write demand of 0 or more as a quantity, such as \"1200\", \"0.5\" or \"2k\"",
				})
			}
		}
	}
	return errors.Join(errs...)
}
