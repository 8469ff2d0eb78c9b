package planner

import (
	"math"
	"time"

	"headstart.dev/headstart/planner/overflow"
	"headstart.dev/headstart/planner/plan"
)

// Beyond is what does not fit into another cluster, and is planned for here.
type Beyond struct {
	// Timeline of that demand. Its value at t is for [t, t + Lead].
	Timeline plan.Plan
	// Lead of the Forecast in the other cluster.
	Lead time.Duration
}

// values returns that demand at each of up to n steps from start on, as far as it is known, each for
// the lead of this cluster.
//
// A longer lead than that of the other cluster needs the largest of so many more steps. A shorter one
// waits: a rise that the other cluster sees a lead ahead is not needed here before the own lead. The
// smallest of the steps before is never below what is needed then, since each step of the other
// cluster covers its whole lead.
//
// Demand that comes back within a lead is not given up in between: to have it again would take that
// long.
func (b *Beyond) values(start time.Time, step time.Duration, n int, lead time.Duration) []float64 {
	known, most := b.Timeline.End().Sub(start), n
	n = min(n, int((known+step-1)/step))
	if n <= 0 {
		return nil
	}
	longer := LeadSteps(lead, step) - LeadSteps(b.Lead, step)
	if longer >= 0 {
		return slidingMax(b.steps(start, step, n), n, longer+1)
	}
	shorter := min(-longer, most) // Of fewer steps the smallest is no smaller, so nothing is missed.
	all := b.steps(start.Add(-time.Duration(shorter)*step), step, n+shorter)
	for i, v := range all {
		all[i] = -v
	}
	out := slidingMax(all, n, shorter+1)
	for i, v := range out {
		out[i] = -v
	}
	return out
}

// Own returns what the fine steps of a published plan, which was made with that demand, have for
// the service's own demand: the rest. Where bounds.max cuts the plan, that is to the account of the
// own demand. It returns nil for a plan without a forecast, which says nothing of the own demand. b
// may be nil: then the plan itself is returned.
func (b *Beyond) Own(p *plan.Plan, lead time.Duration) *plan.Plan {
	if b == nil || p == nil {
		return p
	}
	if len(p.Segments) == 0 || len(p.Segments[0].Expected) == 0 {
		return nil
	}
	fine := p.Segments[0]
	over := b.values(p.Start, fine.Step, int(p.End().Sub(p.Start)/fine.Step), lead)
	own := make([]float64, min(len(fine.Values), len(over)))
	for i := range own {
		own[i] = max(0, fine.Values[i]-over[i]) // NaN stays NaN
	}
	if len(own) == 0 {
		return nil
	}
	return &plan.Plan{
		ComputedAt: p.ComputedAt, Start: p.Start, Segments: []plan.Segment{{Step: fine.Step, Values: own}},
	}
}

// ended reports whether nothing is known any more at an instant. b may be nil.
func (b *Beyond) ended(now time.Time) bool { return b != nil && !now.Before(b.Timeline.End()) }

// FinerStep returns the step of a plan with these settings: that of the timeline where the Forecast
// has no demand, and so no resolution of its own, and the timeline is finer. b may be nil.
func (b *Beyond) FinerStep(set Settings) time.Duration {
	if b == nil || set.HasDemand || len(b.Timeline.Segments) == 0 {
		return set.Step
	}
	step := b.Timeline.Segments[0].Step
	if step < time.Second || step >= set.Step || set.Horizon/step > MaxHorizonSteps {
		return set.Step
	}
	return step
}

// steps returns the values of the timeline at each step. Before its start the first value counts,
// because the clocks of the two clusters differ a little.
func (b *Beyond) steps(start time.Time, step time.Duration, n int) []float64 {
	out := overflow.Resample(&b.Timeline, start, step, n)
	if first, ok := b.Timeline.At(b.Timeline.Start); ok && !math.IsNaN(first) {
		for i := range out {
			if !start.Add(time.Duration(i+1) * step).After(b.Timeline.Start) {
				out[i] = first
			}
		}
	}
	return out
}
