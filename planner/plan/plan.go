package plan

import (
	"math"
	"time"
)

// Plan is the timeline of demand to provision for.
type Plan struct {
	// ComputedAt is when the plan was made.
	ComputedAt time.Time
	// Start is the instant at which the first segment begins.
	Start time.Time
	// Segments follow each other without a gap.
	Segments []Segment
}

// Segment is a run of values of one step.
type Segment struct {
	// Step is how long each value holds.
	Step time.Duration
	// Values are in the unit of demand. NaN means that the plan has no value for the step.
	Values []float64
	// Expected is the median forecast of the same steps; nil without a forecast. The distance
	// from Expected to Values shows how uncertain the forecast is. Expected is not served. It
	// helps to say how much several services need together.
	Expected []float64
	// Most is what may be served at most in the same steps; nil where nothing bounds it. NaN is no
	// bound. It holds a service back that leaves its place to one of a higher priority.
	Most []float64
}

// End is the instant at which the plan expires. A plan without values ends at its start.
func (p Plan) End() time.Time {
	end := p.Start
	for _, s := range p.Segments {
		end = end.Add(time.Duration(len(s.Values)) * s.Step)
	}
	return end
}

// At returns the demand to provision for at t. It reports false before Start, from End on, and
// where the plan has no value.
func (p Plan) At(t time.Time) (float64, bool) {
	s, i := p.find(t)
	if i < 0 {
		return 0, false
	}
	v := s.Values[i]
	return v, !math.IsNaN(v)
}

// MostAt returns what may be served at most at t. It reports false where nothing bounds it.
func (p Plan) MostAt(t time.Time) (float64, bool) {
	s, i := p.find(t)
	if i < 0 || i >= len(s.Most) {
		return 0, false
	}
	return s.Most[i], !math.IsNaN(s.Most[i])
}

// find returns the segment of t and the step in it; -1 before Start and from End on.
func (p Plan) find(t time.Time) (Segment, int) {
	since := t.Sub(p.Start)
	if since < 0 {
		return Segment{}, -1
	}
	for _, s := range p.Segments {
		if s.Step <= 0 {
			return Segment{}, -1
		}
		if i := since / s.Step; i < time.Duration(len(s.Values)) {
			return s, int(i)
		}
		since -= time.Duration(len(s.Values)) * s.Step
	}
	return Segment{}, -1
}

// Max returns the largest value of the steps that overlap [from, to]. It reports false when none of
// them has a value.
func (p Plan) Max(from, to time.Time) (float64, bool) {
	largest, found := 0.0, false
	at := p.Start
	for _, s := range p.Segments {
		for _, v := range s.Values {
			end := at.Add(s.Step)
			if !at.After(to) && end.After(from) && !math.IsNaN(v) && (!found || v > largest) {
				largest, found = v, true
			}
			at = end
		}
	}
	return largest, found
}
