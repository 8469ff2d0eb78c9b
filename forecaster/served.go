package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// A served estimate is a family of candidates under a controller, with a record of how it did.
type served struct {
	family    *family
	control   controller
	estimates []float64
	cover     float64 // demand to provision for at the next step
	record    record
}

// step takes the newest step of the track into account and estimates the next.
func (s *served) step(t *track) {
	n := t.n()
	if n > 0 {
		s.control.observe(t, n-1)
		s.record.observe(t, n-1)
	}
	s.estimates = s.family.estimates(t, n, s.estimates)
	s.cover = s.record.promise(t, n, s.control.decide(t, n, s.estimates))
}

// A record keeps how promises turned out, against two that anybody could give: that the level stays, and that demand rises as it did a
// season ago. The second is the floor of what is served: as long as it has the smallest loss, no model is good enough to replace it.
//
// A loss is what the contract is about. Under a service level it is the pinball loss of the lead window's maximum, and each of the two
// gets the margin that its own errors ask for. Under a shortage cost it is what a fleet would have cost and missed, and the level has
// no margin: that is what is served where there is no forecast.
type record struct {
	tau      float64
	reach    float64
	lead     int
	naive    candidate
	promises []promises // of the last lead + 1 steps, a ring by step
	margin   [parties]tracker
	loss     [parties]float64
	covered  tally   // of what was served
	fleets   *fleets // of the parties; nil under a service level
	covers   [parties]float64
	open     bool // whether the models are served whatever their loss is
}

// Whose promises are recorded.
const (
	ours     = iota // the models under their controller
	byLevel         // that the level stays
	bySeason        // that demand rises as it did a season ago
	parties
)

// promises are what was said before one step.
type promises struct {
	served float64
	by     [parties]float64
}

func newRecord(o Options, t *track, f featurizer) record {
	c := o.Contract
	r := record{tau: c.level(), reach: c.reach(), lead: t.lead, naive: hold{}, promises: make([]promises, t.lead+1), open: !o.has(partGate)}
	if f.day > 0 {
		r.naive = growthOf{"last season", f.days[0]}
	}
	for k := range r.margin {
		r.margin[k] = tracker{aim: 1 - r.tau, rate: 0.02}
	}
	if c.ShortageCost > 0 {
		played := newFleets(c.ShortageCost, t, int(parties))
		r.fleets, r.margin[byLevel] = &played, tracker{}
	}
	return r
}

// promise takes what the models would cover before step i, and returns what is served.
func (r *record) promise(t *track, i int, cover float64) float64 {
	q := stats.Clamp(r.naive.estimate(t, &moment{i: i}), -r.reach, r.reach)
	p := promises{served: cover, by: [parties]float64{
		ours: cover, byLevel: t.exp(t.level[i] + r.margin[byLevel].margin), bySeason: t.exp(t.level[i] + q + r.margin[bySeason].margin),
	}}
	if r.repeats() {
		p.served = p.by[bySeason]
	}
	r.promises[i%len(r.promises)] = p
	if r.fleets != nil {
		for k, v := range p.by {
			r.covers[k] = math.Max(v, t.last())
		}
		r.fleets.play(i, r.covers[:])
	}
	return p.served
}

// repeats says whether repeating the last season has been the best that could be said.
func (r *record) repeats() bool {
	return !r.open && r.loss[bySeason] < math.Min(r.loss[ours], r.loss[byLevel])
}

// latest returns what the benchmarks said before step i.
func (r *record) latest(i int) [2]float64 {
	said := r.promises[i%len(r.promises)].by
	return [2]float64{said[byLevel], said[bySeason]}
}

// observe scores the promise whose lead window step i completes.
func (r *record) observe(t *track, i int) {
	if r.fleets != nil {
		var costs [parties]float64
		if r.fleets.charge(t, i, costs[:]) {
			for k, cost := range costs {
				r.loss[k] += cost
			}
		}
	}
	from := i - r.lead
	if from < 1 || !t.sound[i] || !t.sound[from] {
		return
	}
	p := r.promises[from%len(r.promises)]
	top := t.exp(t.peak[from])
	if r.covered.n == 0 && p == (promises{}) {
		return
	}
	r.covered.add(top <= p.served)
	for k, v := range p.by {
		r.margin[k].learn(top > v)
		if r.fleets == nil {
			r.loss[k] += stats.Pinball(top, v, r.tau)
		}
	}
}

// skill returns 1 − loss ÷ the better benchmark's, of what is served: zero where that is the last season repeated, or where nothing was
// scored.
func (r *record) skill() float64 {
	best := math.Min(r.loss[byLevel], r.loss[bySeason])
	if r.covered.n == 0 || best <= 0 || r.repeats() {
		return 0
	}
	return 1 - r.loss[ours]/best
}

// skilled says whether what is promised is better than what would be served without a forecast: the level as it is.
func (r *record) skilled() bool { return r.open || r.repeats() || r.skill() > 0 }

// A tally counts how often something held.
type tally struct{ held, n float64 }

func (c *tally) add(held bool) {
	if held {
		c.held++
	}
	c.n++
}

func (c *tally) share() float64 {
	if c.n == 0 {
		return math.NaN()
	}
	return c.held / c.n
}
