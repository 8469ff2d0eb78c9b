package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	marginCount = 13
	// marginReach is the largest margin that an expert adds to its candidate or takes from it, on
	// the log scale.
	marginReach = 0.4
)

// weightedExperts calibrate to a shortage cost. An expert is a candidate with a margin. Its
// trailing cost is what a fleet that followed it would have paid, plus the shortage cost of what it
// would have missed. What is served is the experts' mean, weighted by how close to the cheapest
// they are. So level, choice of model and weights are one thing, learned from what happened.
//
// Expert c·marginCount + k is candidate c with margin k.
type weightedExperts struct {
	fleets
	factors [marginCount]float64 // the margins, as factors

	costs   []trailingCosts // one for each half-life
	busy    []bool          // whether a decision was made in busy times: a ring by step, of a lead
	weights []float64       // of each expert in what is served; they sum to one
	covers  []float64       // what each expert provisions for now
	newest  []float64       // cost of each expert in the newest block

	otherLoadShare float64 // see the constant; an ablation changes it
}

// newWeightedExperts returns an expert for each candidate and margin. day is the length of a day in
// steps; 0 when there is none.
func newWeightedExperts(o Options, h *history, candidates, day int) *weightedExperts {
	n := candidates * marginCount
	x := &weightedExperts{
		fleets: newFleets(o.Contract.ShortageCost, h, n), busy: make([]bool, h.lead+1),
		weights: make([]float64, n), covers: make([]float64, n), newest: make([]float64, n),
		otherLoadShare: otherLoadShare,
	}
	halfLife := float64(day)
	if day == 0 {
		halfLife = stats.Clamp(float64(defaultHalfLife/h.Step), 100, 1440)
	}
	days := halfLives()
	if !o.has(partHalfLives) {
		days = []float64{1}
	}
	for _, d := range days {
		x.costs = append(x.costs, newTrailingCosts(n, math.Exp2(-float64(x.block)/(halfLife*d))))
	}
	for e := range x.weights {
		x.weights[e] = 1 / float64(n)
	}
	for k := range x.factors {
		x.factors[k] = math.Exp(marginReach * (2*float64(k)/(marginCount-1) - 1))
	}
	x.leaveOut(o)
	return x
}

// leaveOut switches off the parts that an ablation leaves out.
func (x *weightedExperts) leaveOut(o Options) {
	if !o.has(partMargins) {
		for k := range x.factors {
			x.factors[k] = 1
		}
	}
	if !o.has(partBusyCosts) {
		x.otherLoadShare = 1
	}
	if !o.has(partReplicas) {
		x.unit, x.desired = 1e-6, x.desired[:1]
	}
}

// decide returns the experts' weighted mean.
func (x *weightedExperts) decide(h *history, i int, estimates []float64) float64 {
	floor := h.last()
	for c, q := range estimates {
		cover := math.Exp(h.levelAt(i) + q)
		for k, f := range x.factors {
			x.covers[c*marginCount+k] = math.Max(floor, cover*f-h.logOffset)
		}
	}
	x.fleets.decide(i, x.covers)
	busy := h.exp(h.levelAt(i)) > 1
	x.busy[i%len(x.busy)] = busy
	clear(x.weights)
	for k := range x.costs {
		x.costs[k].addWeights(busy, x.otherLoadShare, 1/float64(len(x.costs)), x.weights)
	}
	return stats.Dot(x.weights, x.covers)
}

// observe charges every expert at the end of a block, for what it decided a lead ago.
func (x *weightedExperts) observe(h *history, i int) {
	busy := x.busy[max(0, i-h.lead)%len(x.busy)]
	if x.fleets.observe(h, i, x.newest) {
		for k := range x.costs {
			x.costs[k].add(busy, x.newest)
		}
	}
}

// candidateWeights returns each candidate's weight, summed over its margins.
func (x *weightedExperts) candidateWeights(candidates int) []float64 {
	out := make([]float64, candidates)
	for e, w := range x.weights {
		out[e/marginCount] += w
	}
	return out
}
