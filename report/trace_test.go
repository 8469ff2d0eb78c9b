package report

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is known at a step is the newest of what came before it, however long ago that is.
func TestNewest(t *testing.T) {
	gap := math.NaN()
	if diff := cmp.Diff([]int{-1, -1, 1, 1, 1, 4}, newest([]float64{gap, 5, gap, gap, 0, gap})); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}
