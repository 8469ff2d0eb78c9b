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

// maxCount bounds the replicas of a claim. More is a mistake in units.
const maxCount = 1 << 20

// newContest returns the contest for the steps of a segment. alone is how many replicas the service
// can have if no other needed any.
func newContest(c *Common, start time.Time, s plan.Segment, capacity float64, alone []int) *contest {
	out := &contest{common: c, needs: [][]int{make([]int, len(s.Values))}, claims: []Claim{c.Own}}
	for i, v := range s.Values {
		out.needs[0][i] = min(plan.Replicas(v, capacity), alone[i], maxCount)
	}
	for _, m := range c.Others {
		need := make([]int, len(s.Values))
		for i, v := range Resample(m.Plan, start, s.Step, len(s.Values)) {
			need[i] = min(plan.Replicas(v, m.Capacity), maxCount)
			if m.MaxReplicas > 0 {
				need[i] = min(need[i], m.MaxReplicas)
			}
		}
		out.needs, out.claims = append(out.needs, need), append(out.claims, m.Claim)
	}
	for i := range out.claims {
		out.claims[i].Min = min(out.claims[i].Min, maxCount)
	}
	return out
}

// at returns how many replicas the service gets at step i, and what keeps it from having more. A
// service keeps its minimum, whatever the others need. takes reports whether it has what it needs
// because services of a lower priority leave their places to it.
func (c *contest) at(i int) (replicas int, why Reason, takes bool) {
	total := 0.0
	for k := range c.claims {
		c.claims[k].Need = c.needs[k][i]
		total += float64(c.claims[k].want()) * c.claims[k].Units
	}
	if total <= c.common.Most+slack {
		return math.MaxInt32, "", false
	}
	got, own := Share(c.common.Most, c.claims), c.claims[0]
	if got[0] >= own.want() {
		for k, claim := range c.claims[1:] {
			takes = takes || claim.Priority < own.Priority && got[k+1] < claim.want()
		}
		return math.MaxInt32, "", takes
	}
	why = c.common.By
	for k, claim := range c.claims[1:] {
		switch n := got[k+1]; {
		case n > 0 && claim.Priority > own.Priority:
			return max(got[0], own.Min), Priority, false
		case n > 0:
			why = Shared
		}
	}
	return max(got[0], own.Min), why, false
}

// Resample returns the largest value of a plan in each of n steps from start on; 0 where it has
// none.
func Resample(p *plan.Plan, start time.Time, step time.Duration, n int) []float64 {
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
