package forecaster

import "math"

// A served estimate is a family of candidates under a controller, with a record of how it did.
type served struct {
	contract  Contract
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
	s.cover = s.control.decide(t, n, s.estimates)
	s.record.promise(t, n, s.cover)
}

// A record keeps how promises turned out, against two that anybody could give: that the level stays, and that demand rises as it
// did a season ago. Each of them gets the margin that its own errors ask for.
type record struct {
	tau      float64
	lead     int
	naive    candidate
	promises []promises // of the last lead + 1 steps, a ring by step
	margin   [2]tracker
	ours     float64
	theirs   [2]float64
	covered  tally
}

// promises are what was said before one step.
type promises struct {
	cover float64
	naive [2]float64
}

func newRecord(tau float64, lead int, f featurizer) record {
	r := record{tau: tau, lead: lead, naive: hold{}, promises: make([]promises, lead+1)}
	if f.day > 0 {
		r.naive = growthOf{"", f.days[0]}
	}
	for k := range r.margin {
		r.margin[k] = tracker{aim: 1 - tau, rate: 0.02}
	}
	return r
}

func (r *record) promise(t *track, i int, cover float64) {
	q := r.naive.estimate(t, &moment{i: i})
	r.promises[i%len(r.promises)] = promises{cover, [2]float64{
		t.exp(t.level[i] + r.margin[0].margin), t.exp(t.level[i] + clamp(q, -reach, reach) + r.margin[1].margin),
	}}
}

// latest returns what the benchmarks said before step i.
func (r *record) latest(i int) [2]float64 { return r.promises[i%len(r.promises)].naive }

// observe scores the promise whose lead window step i completes.
func (r *record) observe(t *track, i int) {
	from := i - r.lead
	if from < 1 || !t.sound[i] || !t.sound[from] {
		return
	}
	p := r.promises[from%len(r.promises)]
	top := t.exp(t.peak[from])
	if r.covered.n == 0 && p.cover == 0 && p.naive == [2]float64{} {
		return
	}
	r.ours += pinball(top, p.cover, r.tau)
	r.covered.add(top <= p.cover)
	for k, q := range p.naive {
		r.theirs[k] += pinball(top, q, r.tau)
		r.margin[k].learn(top > q)
	}
}

// skill returns 1 − loss ÷ the better benchmark's; zero where nothing was scored.
func (r *record) skill() float64 {
	best := math.Min(r.theirs[0], r.theirs[1])
	if r.covered.n == 0 || best <= 0 {
		return 0
	}
	return 1 - r.ours/best
}

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
