package stats

import (
	"math"
	"math/rand/v2"
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

func TestSlidingMax(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		values := make([]float64, rng.IntN(40))
		for i := range values {
			values[i] = math.Round(5 * rng.NormFloat64())
		}
		width := 1 + rng.IntN(12)
		got := SlidingMax(values, width)
		if want := max(0, len(values)-width+1); len(got) != want {
			t.Fatalf("%d ranges of %d values among %d, want %d", len(got), width, len(values), want)
		}
		for i, v := range got {
			if want := Max(values[i : i+width]); v != want {
				t.Fatalf("the largest of %v is %g, want %g", values[i:i+width], v, want)
			}
		}
	}
}
