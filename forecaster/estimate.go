package forecaster

import "math"

// An estimator says, before step i, what the maximum over the lead window is expected not to exceed, as a log ratio to the level.
type estimator interface {
	// estimate uses the steps before i only.
	estimate(t *track, i int) float64
}

// A regression estimates a quantile of the lead-window maximum by linear quantile regression.
type regression struct {
	features featurizer
	beta     []float64
	buf      []float64
}

// maxRows bounds how many rows a regression is fitted on; older rows are thinned first.
const maxRows = 8000

// fitRegression fits on the windows that were complete before step end.
func fitRegression(t *track, f featurizer, end int, tau float64) *regression {
	d := buildDesign(t, f, end)
	return &regression{features: f, beta: d.regress(tau, 1+0.002*float64(d.rows())), buf: make([]float64, d.p)}
}

// buildDesign gathers the lead windows that were complete before step end, with what was known before each.
func buildDesign(t *track, f featurizer, end int) *design {
	p := f.size()
	first := f.first()
	last := min(end-1-t.lead, len(t.peak)-1)
	stride := max(1, (last-first+maxRows)/maxRows)
	d := &design{p: p}
	for i := last; i >= first; i -= stride {
		if !t.known[i] {
			continue
		}
		row := len(d.x)
		d.x = append(d.x, make([]float64, p)...)
		f.fill(t, i, d.x[row:])
		d.y = append(d.y, clamp(t.peak[i]-t.level[i], -reach, reach))
		d.w = append(d.w, 1)
		d.lv = append(d.lv, t.level[i])
	}
	return d
}

func (r *regression) estimate(t *track, i int) float64 {
	r.features.fill(t, i, r.buf)
	q := 0.0
	for k, v := range r.buf {
		q += v * r.beta[k]
	}
	return clamp(q, -reach, reach)
}

// A steerer holds an estimate to a contract: it moves a margin, on the log scale, up when a promise was broken and down when it
// was kept, so that in the long run the share of broken promises is the one that was asked for.
type steerer struct {
	contract Contract
	lead     int
	rate     float64 // how far one broken promise moves the margin
	margin   float64
	promises []float64 // covers given for the last lead + 1 steps, oldest first
}

// observe judges the promises that covered a step, now that its demand v is known.
func (s *steerer) observe(v float64, known bool, window []float64) {
	if len(s.promises) <= s.lead || !known {
		return
	}
	broken, aim := 0.0, 0.0
	if k := s.contract.ShortageCost; k > 0 {
		aim = 1 / k
		for _, p := range s.promises {
			if v > p {
				broken = 1
			}
		}
	} else {
		aim = 1 - s.contract.ServiceLevel
		top := 0.0
		for _, u := range window {
			top = max(top, u)
		}
		if top > s.promises[0] {
			broken = 1
		}
	}
	s.margin = clamp(s.margin+s.rate*(broken-aim), -reach, reach)
}

func (s *steerer) promise(cover float64) {
	if len(s.promises) > s.lead {
		copy(s.promises, s.promises[1:])
		s.promises = s.promises[:s.lead]
	}
	s.promises = append(s.promises, cover)
}

// level returns the quantile that an estimator is fitted at. A lead window is short more often than a step of it: at shortage
// cost 20 the best policies leave 1 step in 20 short, and about 1 window in 8.
func (c Contract) level() float64 {
	if c.ShortageCost > 0 {
		return clamp(1-2.6/c.ShortageCost, 0.5, 0.999)
	}
	return c.ServiceLevel
}

// A served estimate is an estimator under a contract.
type served struct {
	model   estimator
	steer   steerer
	cover   float64 // demand to provision for at the next step
	loss    lossMeter
	covered tally
}

// step takes the newest step of the track into account and estimates the next.
func (s *served) step(t *track) {
	n := t.n()
	if n > 0 {
		window := t.x[max(0, n-1-t.lead):]
		if len(s.steer.promises) > t.lead {
			s.judge(t, n, window)
		}
		s.steer.observe(t.x[n-1], t.known[n-1], window)
	}
	q := s.model.estimate(t, n) + s.steer.margin
	s.cover = t.exp(t.level[n] + q)
	promise := s.cover
	if s.steer.contract.ShortageCost > 0 {
		promise = math.Max(promise, t.last()) // the observed floor is part of what is served
	}
	s.steer.promise(promise)
}

// judge scores the oldest promise, whose lead window has just completed.
func (s *served) judge(t *track, n int, window []float64) {
	i := n - 1 - t.lead
	if i < 1 {
		return
	}
	top := 0.0
	for _, u := range window {
		top = max(top, u)
	}
	promise := s.steer.promises[0]
	s.covered.add(top <= promise)
	tau := s.steer.contract.level()
	s.loss.add(pinball(top, promise, tau), pinball(top, t.exp(t.level[i]), tau))
}

// A lossMeter compares a loss with that of a benchmark.
type lossMeter struct{ model, benchmark, n float64 }

func (m *lossMeter) add(model, benchmark float64) { m.model += model; m.benchmark += benchmark; m.n++ }

// skill returns 1 − loss / benchmark's loss; zero where nothing was scored.
func (m *lossMeter) skill() float64 {
	if m.n == 0 || m.benchmark <= 0 {
		return 0
	}
	return 1 - m.model/m.benchmark
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
