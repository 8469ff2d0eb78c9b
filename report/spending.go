package report

import (
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/spend"
)

// Spend is what the plans asked for, over what a reactive policy would have taken.
type Spend struct {
	// AtMost is the bound.
	AtMost float64 `json:"atMost"`
	// LargestWeek is how many times the replica-hours of a reactive policy the plans of a week
	// asked for at most. A reactive policy follows the demand of the step before, without a wait.
	LargestWeek float64 `json:"largestWeek"`
	// LastWeek is the same for the last week, and Unbounded for plans that are not lowered.
	LastWeek  float64 `json:"lastWeek"`
	Unbounded float64 `json:"unbounded"`
	// Lowered is the share of the steps at which the plan was lowered.
	Lowered float64 `json:"lowered"`
	// Reachable is the share of lead windows that the plan covers as it is lowered at the end. It
	// is nil if too few were seen.
	Reachable *float64 `json:"reachable,omitempty"`
}

// spending follows what the plans of a replay ask for.
type spending struct {
	steps, lowered float64
	largest        float64
	last           spend.Figures
}

// add takes a step of the planner into account.
func (s *spending) add(out planner.StepOutput) {
	f := out.Spend
	if f == nil {
		return
	}
	s.steps++
	if f.Lowered() {
		s.lowered++
	}
	if f.WholeWeek() {
		s.largest = max(s.largest, f.Ratio)
	}
	s.last = *f
}

// summary returns what the plans asked for; nil without a bound.
func (s *spending) summary(atMost float64) *Spend {
	if s.steps == 0 || !(s.last.Ratio > 0) {
		return nil
	}
	out := &Spend{
		AtMost: atMost, LargestWeek: max(s.largest, s.last.Ratio), LastWeek: s.last.Ratio, Unbounded: s.last.Full,
		Lowered: s.lowered / s.steps,
	}
	if level := s.last.Reachable; level >= 0 {
		out.Reachable = &level
	}
	return out
}
