package plan

import "time"

// Shares say how the demand of an instant is divided between clusters.
type Shares struct {
	// At is the instant.
	At time.Time
	// Demand is the planned demand, and OverflowDemand the part that other clusters serve.
	Demand, OverflowDemand float64
	// Here is the share of this cluster, and Overflow that of the others. Together they are 1.
	Here, Overflow float64
}

// SharesAt returns the shares at t of a plan and of what overflows by it; nil where the plan has no
// value. Without an overflow all is served here.
func SharesAt(p, overflow *Plan, t time.Time) *Shares {
	if p == nil {
		return nil
	}
	demand, ok := p.At(t)
	if !ok {
		return nil
	}
	s := &Shares{At: t, Demand: demand, Here: 1}
	if overflow == nil || !(demand > 0) {
		return s
	}
	if over, ok := overflow.At(t); ok && over > 0 {
		s.OverflowDemand = min(over, demand)
		s.Overflow = s.OverflowDemand / demand
		s.Here = 1 - s.Overflow
	}
	return s
}
