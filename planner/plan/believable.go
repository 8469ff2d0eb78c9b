package plan

import "math"

// absurdFactor is how many times the largest value of a plan observed demand must be to be absurd.
// The forecaster uses the same factor on what was observed before.
const absurdFactor = 100

// Believable returns the observed demand above which a single measurement is not to be believed: a
// counter may have been reset, or a unit mistaken. What so many replicas as that factor serve is
// always believed, so that the first requests to an idle service are not doubted. Believable is
// +Inf where that cannot be said: without the capacity of a replica, and for a plan without a
// forecast.
func (p *Plan) Believable(capacity float64) float64 {
	if p == nil || !(capacity > 0) {
		return math.Inf(1)
	}
	largest := capacity
	for _, s := range p.Segments {
		for _, v := range s.Values {
			if math.IsNaN(v) { // no forecast has skill
				return math.Inf(1)
			}
			largest = math.Max(largest, v)
		}
	}
	return absurdFactor * largest
}
