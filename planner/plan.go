package planner

import (
	"math"
	"time"
)

// Plan is the timeline of demand to provision for.
type Plan struct {
	// ComputedAt is when the plan was made.
	ComputedAt time.Time
	// Start is the instant from which the first segment counts.
	Start time.Time
	// Segments follow each other without a gap.
	Segments []Segment
}

// Segment is a run of values at one step.
type Segment struct {
	// Step is how long each value counts.
	Step time.Duration
	// Values in the unit of demand; NaN where the plan has nothing to say.
	Values []float64
	// Expected is what is expected of the same steps, in the middle of what is possible; nil where there is no forecast. How far Values lie above it
	// is how unsure the forecast is. It is not served: it says how much several services need together.
	Expected []float64
}

// End is the instant at which the plan is outlived. A plan without values ends where it starts.
func (p Plan) End() time.Time {
	end := p.Start
	for _, s := range p.Segments {
		end = end.Add(time.Duration(len(s.Values)) * s.Step)
	}
	return end
}

// At returns the demand to provision for at t. It reports false before Start, from End on, and where the plan has nothing to say.
func (p Plan) At(t time.Time) (float64, bool) {
	since := t.Sub(p.Start)
	if since < 0 {
		return 0, false
	}
	for _, s := range p.Segments {
		if s.Step <= 0 {
			return 0, false
		}
		if i := since / s.Step; i < time.Duration(len(s.Values)) {
			v := s.Values[i]
			return v, !math.IsNaN(v)
		}
		since -= time.Duration(len(s.Values)) * s.Step
	}
	return 0, false
}

// Max returns the largest value that counts somewhere in [from, to]. It reports false when the plan says nothing there.
func (p Plan) Max(from, to time.Time) (float64, bool) {
	most, found := 0.0, false
	at := p.Start
	for _, s := range p.Segments {
		for _, v := range s.Values {
			end := at.Add(s.Step)
			if !at.After(to) && end.After(from) && !math.IsNaN(v) && (!found || v > most) {
				most, found = v, true
			}
			at = end
		}
	}
	return most, found
}
