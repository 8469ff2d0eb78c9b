package convert

import (
	"math"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
)

// FuzzQuantities reads any text as a whole number, as a capacity and as an activationThreshold.
func FuzzQuantities(f *testing.F) {
	for _, text := range []string{
		"", " ", "10", " 10 ", "1e1", "10E0", "0.5", ".5", "5.", "500m", "1k", "1Ki", "1Gi", "-3", "+3", "0", "-0", "0x10",
		"1e-30", "1e400", "9e15", "9223372036854775807", "99999999999999999999", "NaN", "Inf", "1_0", "1n", "0.0000000001",
		"2147483647", "2147483648", "-2147483649", "1E", "1Ei", "²", "1e1e1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := wholeNumber(text); err == nil {
			if again, err := wholeNumber(strconv.Itoa(int(n))); err != nil || again != n {
				t.Errorf("%q is %d, which is %d again, error %v", text, n, again, err)
			}
			if v, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(v-float64(n)) > 1e-6 {
				t.Errorf("%q is %d, want %v", text, n, v)
			}
		}
		if capacity, err := positiveQuantity(text); err == nil {
			q, err := resource.ParseQuantity(capacity)
			if err != nil || q.Sign() <= 0 {
				t.Fatalf("%q is %q, which is no quantity above 0: %v", text, capacity, err)
			}
			if v, err := strconv.ParseFloat(text, 64); err == nil && v < 1e15 &&
				math.Abs(q.AsApproximateFloat64()-v) > 2e-9+1e-9*v {
				t.Errorf("%q is %q, want %v", text, capacity, v)
			}
			if again, err := positiveQuantity(capacity); err != nil || again != capacity {
				t.Errorf("%q is %q, which is %q again, error %v", text, capacity, again, err)
			}
		}
		trigger := kedaTrigger{Metadata: map[string]scalar{"activationThreshold": scalar(text)}}
		if activation, err := activationOf(trigger); err == nil && activation != "" {
			if v, err := strconv.ParseFloat(activation, 64); err != nil || !(v > 0) || v > maxActivation {
				t.Errorf("%q is %q, which the scaler refuses", text, activation)
			}
		}
	})
}
