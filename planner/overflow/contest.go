package overflow

import (
	"math"
	"time"

	"headstart.dev/headstart/planner/plan"
)

// contest is a shared resource over the steps of one plan.
type contest struct {
	common *Common
	needs  [][]int // by service: the own one first
	claims []Claim
}

// newContest returns the contest for the steps of a segment. alone is how many replicas the service
// can have if no other needed any.
func newContest(c *Common, start time.Time, s plan.Segment, capacity float64, alone []int) *contest {
	out := &contest{common: c, needs: [][]int{make([]int, len(s.Values))}, claims: []Claim{c.Own}}
	for i, v := range s.Values {
		out.needs[0][i] = min(plan.Replicas(v, capacity), alone[i])
	}
	for _, m := range c.Others {
		need := make([]int, len(s.Values))
		for i, v := range resample(m.Plan, start, s.Step, len(s.Values)) {
			need[i] = plan.Replicas(v, m.Capacity)
			if m.MaxReplicas > 0 {
				need[i] = min(need[i], m.MaxReplicas)
			}
		}
		out.needs, out.claims = append(out.needs, need), append(out.claims, m.Claim)
	}
	return out
}

// at returns how many replicas the service gets at step i, and what keeps it from having more. A
// service keeps its minimum, whatever the others need.
func (c *contest) at(i int) (replicas int, why Reason) {
	total := 0.0
	for k := range c.claims {
		c.claims[k].Need = c.needs[k][i]
		total += float64(c.claims[k].want()) * c.claims[k].Units
	}
	if total <= c.common.Most+slack {
		return math.MaxInt32, ""
	}
	got, own := Share(c.common.Most, c.claims), c.claims[0]
	if got[0] >= own.want() {
		return math.MaxInt32, ""
	}
	why = c.common.By
	for k, claim := range c.claims[1:] {
		switch n := got[k+1]; {
		case n > 0 && claim.Priority > own.Priority:
			return max(got[0], own.Min), Priority
		case n > 0:
			why = Shared
		}
	}
	return max(got[0], own.Min), why
}

// resample returns the largest value of a plan in each of n steps from start on; 0 where it has
// none.
func resample(p *plan.Plan, start time.Time, step time.Duration, n int) []float64 {
	out := make([]float64, n)
	if p == nil || step <= 0 {
		return out
	}
	at := p.Start
	for _, s := range p.Segments {
		for _, v := range s.Values {
			end := at.Add(s.Step)
			if v > 0 && end.After(start) { // false for NaN
				from := max(0, int(at.Sub(start)/step))
				for i := from; i < n && start.Add(time.Duration(i)*step).Before(end); i++ {
					out[i] = max(out[i], v)
				}
			}
			at = end
		}
	}
	return out
}
