package report

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The last known value of a step is the newest one before it, however old.
func TestLastKnown(t *testing.T) {
	gap := math.NaN()
	if diff := cmp.Diff([]int{-1, -1, 1, 1, 1, 4}, lastKnown([]float64{gap, 5, gap, gap, 0, gap})); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}
