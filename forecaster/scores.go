package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// scores compare the models with two benchmarks: that the level stays, and that demand rises as it
// did a season ago. The second is the floor of what is served: while it has the smallest loss, no
// model is good enough to replace it.
//
// A loss is in the contract's terms. Under a service level it is the pinball loss of the maximum
// over the lead window, and each benchmark has the margin that its own errors require. Under a
// shortage cost it is what a fleet would have paid and missed. The level then has no margin, as it
// is what is served when there is no forecast.
type scores struct {
	tau      float64 // quantile of the lead-window maximum
	bound    float64 // of the season's estimate, on the log scale
	lead     int
	season   candidate // that demand rises as it did a season ago
	pending  []covers  // of the last lead + 1 steps: a ring by step
	margins  [rules]adaptiveMargin
	losses   [rules]float64
	covered  proportion // of the windows of what was served
	fleets   *fleets    // one for each rule; nil under a service level
	provided [rules]float64
	ungated  bool // whether the models are served whatever their loss is, in an ablation
}

// The rules that are scored.
const (
	byModels = iota // the candidates under their calibrator
	byLevel         // the level stays
	bySeason        // demand rises as it did a season ago
	rules
)

// covers are what was to be provisioned for from one step on.
type covers struct {
	served float64
	by     [rules]float64
}

// marginRate is how far a miss moves a benchmark's margin, on the log scale.
const marginRate = 0.02

func newScores(o Options, h *past.History, f featurizer) scores {
	c := o.Contract
	s := scores{
		tau: c.level(), bound: c.maxChange(), lead: h.Lead, season: persistence{},
		pending: make([]covers, h.Lead+1), ungated: !o.has(partGate),
	}
	if f.day > 0 {
		s.season = seasonalGrowth{"last season", f.days[0]}
	}
	for k := range s.margins {
		s.margins[k] = adaptiveMargin{target: 1 - s.tau, rate: marginRate}
	}
	if c.ShortageCost > 0 {
		simulated := newFleets(c.ShortageCost, h, int(rules))
		s.fleets, s.margins[byLevel] = &simulated, adaptiveMargin{}
	}
	return s
}

// choose returns what is served from step i on: modelCover, the cover that the models decided, or
// that of the last season.
func (s *scores) choose(h *past.History, i int, modelCover float64) float64 {
	q := stats.Clamp(s.season.estimate(h, &origin{step: i}), -s.bound, s.bound)
	c := covers{served: modelCover, by: [rules]float64{
		byModels: modelCover,
		byLevel:  h.Exp(h.LevelAt(i) + s.margins[byLevel].margin),
		bySeason: h.Exp(h.LevelAt(i) + q + s.margins[bySeason].margin),
	}}
	if s.seasonIsBest() {
		c.served = c.by[bySeason]
	}
	s.pending[i%len(s.pending)] = c
	if s.fleets != nil {
		for k, v := range c.by {
			s.provided[k] = math.Max(v, h.Last())
		}
		s.fleets.decide(i, s.provided[:])
	}
	return c.served
}

// seasonIsBest reports whether repeating the last season has the smallest loss so far.
func (s *scores) seasonIsBest() bool {
	return !s.ungated && s.losses[bySeason] < math.Min(s.losses[byModels], s.losses[byLevel])
}

// benchmarks returns the covers of the two benchmarks from step i on.
func (s *scores) benchmarks(i int) [2]float64 {
	by := s.pending[i%len(s.pending)].by
	return [2]float64{by[byLevel], by[bySeason]}
}

// observe scores the window that step i completes, and the block of the fleets that it ends.
func (s *scores) observe(h *past.History, i int) {
	if s.fleets != nil {
		var costs [rules]float64
		if s.fleets.observe(h, i, costs[:]) {
			for k, cost := range costs {
				s.losses[k] += cost
			}
		}
	}
	from := i - s.lead
	if from < 1 || !h.ObservedAt(i) || !h.ObservedAt(from) {
		return
	}
	c := s.pending[from%len(s.pending)]
	largest := h.Exp(h.WindowMaxAt(from))
	if s.covered.n == 0 && c == (covers{}) {
		return
	}
	s.covered.add(largest <= c.served)
	for k, v := range c.by {
		s.margins[k].update(largest > v)
		if s.fleets == nil {
			s.losses[k] += stats.Pinball(largest, v, s.tau)
		}
	}
}

// skill returns 1 − loss ÷ the better benchmark's loss, of what is served. It is zero when that is
// the last season, and when nothing was scored.
func (s *scores) skill() float64 {
	best := math.Min(s.losses[byLevel], s.losses[bySeason])
	if s.covered.n == 0 || best <= 0 || s.seasonIsBest() {
		return 0
	}
	return 1 - s.losses[byModels]/best
}

// skilled reports whether what is served is better than the level as it is, which would be served
// without a forecast.
func (s *scores) skilled() bool { return s.ungated || s.seasonIsBest() || s.skill() > 0 }

// A proportion counts how often something was true.
type proportion struct{ hits, n float64 }

func (p *proportion) add(hit bool) {
	if hit {
		p.hits++
	}
	p.n++
}

// share returns hits over n; NaN when n is zero.
func (p *proportion) share() float64 {
	if p.n == 0 {
		return math.NaN()
	}
	return p.hits / p.n
}
