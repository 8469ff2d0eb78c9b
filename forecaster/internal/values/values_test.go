package values

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestGivenKeepsValues compares with a slice. The shared values are moved, and differ in places.
func TestGivenKeepsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]float64{0, 1, 2, math.NaN()})
		given, want := NewGiven(0), []float64{}
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			for _, v := range rapid.SliceOfN(value, 0, 200).Draw(t, "new") {
				given.Append(v)
				want = append(want, v)
			}
			switch rapid.IntRange(0, 2).Draw(t, "then") {
			case 0:
				offset := rapid.IntRange(-3, 3).Draw(t, "offset")
				shared := slices.Clone(want[min(len(want), max(0, -offset)):])
				shared = append(make([]float64, max(0, offset)), shared...)
				if len(shared) > 0 {
					shared[rapid.IntRange(0, len(shared)-1).Draw(t, "different")] = 7
				}
				given.Share(shared, offset)
			case 1:
				from := rapid.IntRange(0, len(want)).Draw(t, "from")
				want = want[from:]
				if got := given.KeepFrom(from, 2); !same(got, want) {
					t.Fatalf("kept %v, want %v", got, want)
				}
			}
			got := make([]float64, given.N())
			for i := range got {
				got[i] = given.At(i)
			}
			if !same(got, want) {
				t.Fatalf("the values are %v, want %v", got, want)
			}
		}
	})
}

func same(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(v, w float64) bool { return math.Float64bits(v) == math.Float64bits(w) })
}
