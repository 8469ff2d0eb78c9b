package stats

import (
	"math"
	"testing"
)

func TestQuantile(t *testing.T) {
	values := []float64{1, 2, 4, 8}
	for q, want := range map[float64]float64{-1: 1, 0: 1, 0.5: 3, 1.0 / 3: 2, 0.9: 6.8, 1: 8, 2: 8} {
		if got := Quantile(values, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("the %g-quantile is %g, want %g", q, got, want)
		}
	}
	if got := Quantile(nil, 0.5); got != 0 {
		t.Errorf("the median of nothing is %g, want 0", got)
	}
}

func TestMeanKnown(t *testing.T) {
	nan := math.NaN()
	if got := MeanKnown([]float64{1, nan, 3}); got != 2 {
		t.Errorf("got %g, want 2: gaps do not count", got)
	}
	if got := MeanKnownOr([]float64{nan}, 7); got != 7 {
		t.Errorf("got %g without a value, want 7", got)
	}
}
