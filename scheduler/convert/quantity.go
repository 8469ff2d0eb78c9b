package convert

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// count is a whole number, in the forms in which Kubernetes takes a quantity: 10, "10" or "1e1".
type count int32

// UnmarshalJSON implements [json.Unmarshaler].
func (c *count) UnmarshalJSON(text []byte) error {
	var value scalar
	if err := value.UnmarshalJSON(text); err != nil || value == "" {
		return err
	}
	n, err := wholeNumber(string(value))
	*c = count(n)
	return err
}

// wholeNumber reads a whole number as a quantity.
func wholeNumber(text string) (int32, error) {
	q, err := resource.ParseQuantity(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	n := q.Value()
	if q.Cmp(*resource.NewQuantity(n, resource.DecimalSI)) != 0 || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%q is not a whole number within range", text)
	}
	return int32(n), nil
}

// scalar is a text, a number or a boolean, as text. Kubernetes takes quantities in both forms, and
// people forget quotes.
type scalar string

// UnmarshalJSON implements [json.Unmarshaler].
func (s *scalar) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	switch v := value.(type) {
	case nil:
	case string:
		*s = scalar(v)
	case bool:
		*s = scalar(strconv.FormatBool(v))
	case float64:
		*s = scalar(text)
	default:
		return fmt.Errorf("%.60s is neither a text nor a number", text)
	}
	return nil
}

// positiveQuantity reads a quantity above 0, such as "50", "0.5", "1k" or "1e1", and returns it as
// a Forecast takes it.
func positiveQuantity(text string) (string, error) {
	text = strings.TrimSpace(text)
	if q, err := resource.ParseQuantity(text); err == nil && q.Sign() > 0 {
		if strings.ContainsAny(text, "eE") {
			return q.String(), nil
		}
		return text, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0) || v > 1e15 {
		return "", fmt.Errorf("%q is not a number above 0", text)
	}
	q, err := resource.ParseQuantity(strconv.FormatFloat(v, 'f', -1, 64))
	if err != nil {
		return "", fmt.Errorf("%q is not a number above 0", text)
	}
	return q.String(), nil
}
