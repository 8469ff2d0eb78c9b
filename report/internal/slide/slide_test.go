package slide

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFillGaps(t *testing.T) {
	nan := math.NaN()
	if diff := cmp.Diff([]float64{2, 2, 2, 3, 3}, FillGaps([]float64{nan, 2, nan, 3, nan})); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestSlidingMax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(-5, 5), 0, 40).Draw(t, "x")
		back, ahead := rapid.IntRange(0, 50).Draw(t, "back"), rapid.IntRange(0, 50).Draw(t, "ahead")
		smallest := slidingMax(x, back, ahead, -1)
		for i, got := range slidingMax(x, back, ahead, 1) {
			high, low := math.Inf(-1), math.Inf(1)
			for k := max(0, i-back); k <= min(len(x)-1, i+ahead); k++ {
				high, low = max(high, x[k]), min(low, x[k])
			}
			if got != high || smallest[i] != low {
				t.Fatalf("at %d: %v and %v, want %v and %v", i, got, smallest[i], high, low)
			}
		}
	})
}

// The last known value of a step is the newest one before it, however old.
func TestLastKnown(t *testing.T) {
	gap := math.NaN()
	if diff := cmp.Diff([]int{-1, -1, 1, 1, 1, 4}, LastKnown([]float64{gap, 5, gap, gap, 0, gap})); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}
