package forecaster

import (
	"errors"
	"fmt"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
)

// A Series is demand on an even grid of steps. Step i covers [Start + i·Step, Start + (i+1)·Step).
type Series struct {
	Start  time.Time
	Step   time.Duration
	Values []float64 // demand per step, in the user's unit; NaN is a gap
}

// End returns the instant at which the last step ends.
func (s Series) End() time.Time {
	return demand.After(s.Start, s.Step, len(s.Values))
}

var errStep = errors.New("step must be a positive duration of at most 7 days")

// maxStep is the longest step that is accepted: beyond it no season is left to model.
const maxStep = 7 * 24 * time.Hour

func validateStep(step time.Duration) error {
	if step <= 0 || step > maxStep {
		return fmt.Errorf("step %s: %w", step, errStep)
	}
	return nil
}
