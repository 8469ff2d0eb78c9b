package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// An Outlook is what a Forecaster expects from its origin on. Demand is in the user's unit.
type Outlook struct {
	Start time.Time     // the origin: the beginning of the first unknown step
	Step  time.Duration // length of a step
	Lead  int           // S: Cover[i] covers the steps i … i+S

	Median []float64 // expected demand, step by step; at least Horizon + Lead steps
	// Cover[i] is the demand to provision for at step i so that the steps i … i+Lead are covered,
	// by the contract. Cover[0] is what is served now. Later ones are the estimate made from the
	// origin, for use while no newer Outlook is available.
	Cover []float64

	// Half is the same for covering a lead window as often as not: what is to be expected of its
	// largest demand. It is nil without Options.Half. Nowhere is it above Cover.
	Half []float64

	Skilled bool    // false when the forecast is no better than the level now: do not serve it then
	Level   float64 // demand now, as the models see it

	// Benchmarks are what Cover[0] would be if the level stayed, and if demand rose as it did a
	// season ago, each with the margin that its own errors require. Skill is measured against the
	// better one.
	Benchmarks [2]float64
}

// Outlook reads the state. It returns the zero Outlook before Start.
func (f *Forecaster) Outlook() Outlook {
	if f.state == nil {
		return Outlook{}
	}
	steps := f.opts.Horizon + f.opts.Lead
	path := f.state.expected(steps + f.opts.Lead + 1)
	o := f.state.outlook(&f.state.served.decider, path)
	o.Start, o.Step, o.Lead = f.Origin(), f.opts.Step, f.opts.Lead
	if f.opts.Half {
		others := f.state.served.others
		o.Half = f.state.outlook(&others[len(others)-1], path).Cover
		for i, v := range o.Half {
			o.Half[i] = math.Min(v, o.Cover[i])
		}
	}
	return o
}

// Compared reads the state under each contract of Options.Compare, for so many steps.
func (f *Forecaster) Compared(steps int) []Outlook {
	if f.state == nil {
		return nil
	}
	steps = min(steps, f.opts.Horizon) + f.opts.Lead
	path := f.state.expected(steps + f.opts.Lead + 1)
	out := make([]Outlook, 0, len(f.opts.Compare))
	for k := range f.opts.Compare {
		o := f.state.outlook(&f.state.served.others[k], path)
		o.Start, o.Step, o.Lead = f.Origin(), f.opts.Step, f.opts.Lead
		out = append(out, o)
	}
	return out
}

const (
	// maxOverLargest bounds what is provisioned for, in units of the largest demand so far. Margins
	// are factors, and one that was learned in a quiet hour may meet a busy one.
	maxOverLargest = 2
	// nearLeads is how many lead windows ahead the margin of now fades to that of distant windows.
	nearLeads = 4
)

// outlook returns what a decider makes of a path, up to a lead window before its end.
func (s *state) outlook(d *decider, path []float64) Outlook {
	h, n, lead := s.history, s.history.N(), s.opts.Lead
	steps := len(path) - lead - 1
	o := Outlook{
		Median: make([]float64, steps), Cover: stats.SlidingMax(path[:steps+lead], lead+1),
		Level: h.Exp(h.LevelAt(n)), Skilled: d.scores.skilled(),
	}
	margin := math.Log(d.cover+h.LogOffset) - o.Cover[0] // of now
	unmeasured := math.Max(margin, s.margin)
	for i, largest := range o.Cover {
		near := math.Exp(-float64(i) / float64(nearLeads*(lead+1)))
		distant := d.margins.at(i, unmeasured)
		o.Median[i] = h.Exp(path[i])
		o.Cover[i] = h.Exp(largest + near*margin + (1-near)*distant)
	}
	o.Cover[0] = d.cover
	o.Benchmarks = d.scores.benchmarks(n)
	s.scaleOutlook(&o)
	return o
}

// scaleOutlook bounds the outlook and turns it into the user's unit, with the effects of named
// days.
func (s *state) scaleOutlook(o *Outlook) {
	h, n, window := s.history, s.history.N(), s.opts.Lead+1
	effects := h.Days.Between(n, n+len(o.Cover)+window-1)
	largest := stats.SlidingMax(effects, window)
	for k := range o.Benchmarks {
		o.Benchmarks[k] *= h.Unit * factor(largest[0])
	}
	o.Level *= h.Unit * factor(h.Days.At(n-1))
	for i := range o.Cover {
		o.Cover[i] = zeroIfTiny(math.Min(o.Cover[i], maxOverLargest*h.Largest))
		if s.isIdle(n, i) {
			o.Cover[i] = 0
		}
		o.Median[i] = zeroIfTiny(o.Median[i])
		o.Cover[i] *= h.Unit * factor(largest[i])
		o.Median[i] *= h.Unit * factor(effects[i])
	}
}

// factor returns the factor on demand of the effect of a named day; mostly there is none.
func factor(effect float64) float64 {
	if effect == 0 {
		return 1
	}
	return math.Exp(effect)
}

// zeroIfTiny returns 0 for what counts as zero in the history. The small remainder that a logarithm
// leaves would keep a replica up all night.
func zeroIfTiny(v float64) float64 {
	if v < past.Tiny {
		return 0
	}
	return v
}

const (
	// idleSeasons is how many seasons must have had no demand at a time for that time to be idle,
	// and maxIdleSeasons how many are looked at.
	idleSeasons, maxIdleSeasons = 3, 7
)

// isIdle reports whether nothing is to be provisioned for the lead window that begins i steps after
// step n: there is no demand now, and there was none at this time in the last seasons. A margin,
// which is learned from all hours, would keep a replica up all night.
func (s *state) isIdle(n, i int) bool {
	h := s.history
	if s.periods.Day == 0 || n == 0 || !h.Zeros || h.DemandAt(n-1) > past.Tiny {
		return false
	}
	idle := 0
	for k := 1; k <= maxIdleSeasons; k++ {
		j := h.Back(n+i, k*s.periods.Day)
		if j < 0 || j >= h.Windows() {
			continue
		}
		if h.Exp(h.WindowMaxAt(j)) > past.Tiny {
			return false
		}
		idle++
	}
	return idle >= idleSeasons
}
