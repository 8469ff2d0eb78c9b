package forecaster

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// A Series is demand on an even grid of steps. Step i covers [Start + i·Step, Start + (i+1)·Step).
type Series struct {
	Start  time.Time
	Step   time.Duration
	Values []float64 // demand per step, in the user's unit; NaN is a gap
}

// End returns the instant at which the last step ends.
func (s Series) End() time.Time {
	return after(s.Start, s.Step, len(s.Values))
}

// errNoStep says that a series or the options carry no usable step.
var errNoStep = errors.New("step must be a positive duration of at most 7 days")

// maxStep is the longest step that is accepted; beyond it no season is left to model.
const maxStep = 7 * 24 * time.Hour

// maxDemand caps what a single step may report, so that sums over a history stay finite.
const maxDemand = 1e18

// clean maps what cannot be demand to what it most likely stands for: negative demand to zero, infinities to gaps.
func clean(v float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return math.NaN()
	case v < 0:
		return 0
	case v > maxDemand:
		return maxDemand
	}
	return v
}

func validStep(step time.Duration) error {
	if step <= 0 || step > maxStep {
		return fmt.Errorf("step %s: %w", step, errNoStep)
	}
	return nil
}
