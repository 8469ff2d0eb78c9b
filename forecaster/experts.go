package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/past"
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
// Expert c·len(factors) + k is candidate c with margin k.
type weightedExperts struct {
	fleets
	factors []float64 // the margins, as factors

	costs   []trailingCosts // one for each half-life
	busy    []bool          // whether a decision was made in busy times: a ring by step, of a lead
	weights []float64       // of each expert in what is served; they sum to one
	covers  []float64       // what each expert provisions for now
	newest  []float64       // cost of each expert in the newest block; between blocks, room for weights

	renew     int  // steps between two renewals of the weights
	age       int  // of the weights, in steps
	weighedAs bool // whether the weights are those of busy times

	halfLife       float64 // the unit of halfLives, in steps
	otherLoadShare float64 // see the constant; an ablation changes it
}

// newWeightedExperts returns an expert for each candidate and margin. day is the length of a day in
// steps; 0 when there is none.
func newWeightedExperts(o Options, h *past.History, candidates, day int) *weightedExperts {
	x := newExperts(o, h, candidates, day, marginFactors(-marginReach, marginReach, marginCount))
	x.leaveOut(o)
	return x
}

// servedWeightsPerHalfLife is how often the weights are renewed within the shortest half-life. With
// steps of a minute, costs change little from one to the next, and the weights take most of the time.
const servedWeightsPerHalfLife = 90

// marginFactors returns so many margins from least to most, as factors.
func marginFactors(least, most float64, count int) []float64 {
	out := make([]float64, count)
	middle, reach := (least+most)/2, (most-least)/2
	for k := range out {
		out[k] = math.Exp(middle + reach*(2*float64(k)/float64(count-1)-1))
	}
	return out
}

// newExperts returns an expert for each candidate and factor.
func newExperts(o Options, h *past.History, candidates, day int, factors []float64) *weightedExperts {
	n := candidates * len(factors)
	x := &weightedExperts{
		factors: factors,
		fleets:  newFleets(o.Contract.ShortageCost, h, n), busy: make([]bool, h.Lead+1),
		weights: make([]float64, n), covers: make([]float64, n), newest: make([]float64, n),
		otherLoadShare: otherLoadShare,
	}
	halfLife := float64(day)
	if day == 0 {
		halfLife = stats.Clamp(float64(defaultHalfLife/h.Step), 100, 1440)
	}
	x.halfLife = halfLife
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
	x.renew = max(1, int(halfLife*halfLives()[0]/servedWeightsPerHalfLife))
	x.age = x.renew
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
func (x *weightedExperts) decide(h *past.History, i int, estimates []float64) float64 {
	x.cover(h, i, estimates)
	x.fleets.decide(i, x.covers)
	busy := h.Exp(h.LevelAt(i)) > 1
	x.busy[i%len(x.busy)] = busy
	if x.age++; x.age >= x.renew || busy != x.weighedAs {
		x.age, x.weighedAs = 0, busy
		clear(x.weights)
		for k := range x.costs {
			x.costs[k].addWeights(busy, x.otherLoadShare, 1/float64(len(x.costs)), x.weights, x.newest)
		}
	}
	return stats.Dot(x.weights, x.covers)
}

// cover sets what each expert provisions for.
func (x *weightedExperts) cover(h *past.History, i int, estimates []float64) {
	floor := h.Last()
	for c, q := range estimates {
		cover := math.Exp(h.LevelAt(i) + q)
		for k, f := range x.factors {
			x.covers[c*len(x.factors)+k] = max(floor, cover*f-h.LogOffset)
		}
	}
}

// observe charges every expert at the end of a block, for what it decided a lead ago.
func (x *weightedExperts) observe(h *past.History, i int) {
	busy := x.busy[max(0, i-h.Lead)%len(x.busy)]
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
		out[e/len(x.factors)] += w
	}
	return out
}

const (
	// comparedMargins is how many margins the experts of compared contracts choose between, and
	// comparedReach how far these reach beyond the quantiles that the contracts ask for.
	comparedMargins, comparedReach = 11, 0.25
	// weightsPerHalfLife is how often the weights of a compared contract are renewed within the
	// shortest half-life. They change little in between, and take most of the time.
	weightsPerHalfLife = 32
)

// comparedExperts are the experts of all compared shortage costs. What a fleet that follows an
// expert pays and misses does not depend on the shortage cost. So it is simulated once for all.
type comparedExperts struct {
	weightedExperts
	paid    []float32 // by each fleet in the newest block
	need    float32
	ended   bool // whether the newest step ended a block
	wasBusy bool // whether what it is charged for was decided in busy times
}

// observe follows all fleets. It keeps what the next decision overwrites.
func (x *comparedExperts) observe(h *past.History, i int) {
	paid, need, ended := x.follow(h, i)
	x.paid, x.need, x.ended = append(x.paid[:0], paid...), need, ended
	x.wasBusy = x.busy[max(0, i-h.Lead)%len(x.busy)]
}

// decide sets what each expert provisions for.
func (x *comparedExperts) decide(h *past.History, i int, estimates []float64) {
	x.cover(h, i, estimates)
	x.fleets.decide(i, x.covers)
	x.busy[i%len(x.busy)] = h.Exp(h.LevelAt(i)) > 1
}

// A comparedCost is the calibrator of one compared shortage cost.
type comparedCost struct {
	experts *comparedExperts
	cost    float64
	costs   []trailingCosts
	newest  []float64 // as in weightedExperts
	weights []float64
	renew   int // steps between two renewals of the weights
	age     int // of the weights, in steps
	busy    bool
}

func (c *comparedCost) observe(*past.History, int) {
	x := c.experts
	if !x.ended {
		return
	}
	x.charge(c.cost, x.paid, x.need, c.newest)
	for k := range c.costs {
		c.costs[k].add(x.wasBusy, c.newest)
	}
}

func (c *comparedCost) decide(_ *past.History, i int, _ []float64) float64 {
	x := c.experts
	busy := x.busy[i%len(x.busy)]
	if c.age++; c.age >= c.renew || busy != c.busy {
		c.age, c.busy = 0, busy
		clear(c.weights)
		for k := range c.costs {
			c.costs[k].addWeights(busy, x.otherLoadShare, 1/float64(len(c.costs)), c.weights, c.newest)
		}
	}
	return stats.Dot(c.weights, x.covers)
}

func (c *comparedCost) candidateWeights(candidates int) []float64 { return make([]float64, candidates) }

// compareShortageCosts gives the deciders of the compared contracts their experts. Candidates are
// fitted to a quantile, which depends on the contract. So the margins reach over the distances from
// that quantile to those that the compared contracts ask for.
func (s *state) compareShortageCosts(trial *candidateSet) {
	if len(s.served.others) == 0 {
		return
	}
	least, most := 0.0, 0.0
	for _, d := range s.served.others {
		by := trial.distance(s.opts.Contract, d.contract)
		least, most = min(least, by), max(most, by)
	}
	factors := marginFactors(least-comparedReach, most+comparedReach, comparedMargins)
	x := &comparedExperts{
		weightedExperts: *newExperts(s.opts, s.history, trial.size(), s.periods.Day, factors),
	}
	s.served.compared = x
	for k := range s.served.others {
		own := newExperts(s.opts, s.history, trial.size(), s.periods.Day, factors)
		s.served.others[k].calibrator = &comparedCost{
			experts: x, cost: s.served.others[k].contract.ShortageCost,
			costs: own.costs, newest: own.newest, weights: own.weights,
			renew: max(1, int(own.halfLife*halfLives()[0]/weightsPerHalfLife)),
		}
	}
}
