package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// An Outlook is what a Forecaster expects from its origin on.
type Outlook struct {
	Start time.Time     // the origin: the beginning of the first unknown step
	Step  time.Duration // length of a step
	Lead  int           // S: Cover[i] covers the steps i … i+S

	Median []float64 // expected demand, step by step; at least Horizon + Lead steps
	// Cover[i] is the demand to provision for at step i so that the steps i … i+Lead are covered, by the contract. Cover[0] is what
	// is served now; later ones are the estimate made from the origin, used when no fresher one can be had.
	Cover []float64

	Skilled bool    // false where the forecast is no better than the level now: then it should not be served
	Level   float64 // demand now, as the models see it

	// Benchmarks are what Cover[0] would be if the level stayed, and if demand rose as it did a season ago, each with the margin that
	// its own errors ask for. Skill is measured against the better of them.
	Benchmarks [2]float64
}

// Outlook reads the state. It returns the zero Outlook before Start.
func (f *Forecaster) Outlook() Outlook {
	if f.state == nil {
		return Outlook{}
	}
	o := f.state.outlook()
	o.Start, o.Step, o.Lead = f.Origin(), f.opts.Step, f.opts.Lead
	return o
}

func (s *state) outlook() Outlook {
	t := s.track
	n := t.n()
	steps := s.opts.Horizon + s.opts.Lead
	path := make([]float64, steps+s.opts.Lead+1)
	for i := range path {
		path[i] = s.ahead(n, i)
	}
	o := Outlook{
		Median: make([]float64, steps), Cover: make([]float64, steps),
		Level: t.exp(t.level[n]), Skilled: s.skilled(),
	}
	lift := math.Log(s.served.cover+t.soft) - stats.Max(path[:s.opts.Lead+1])
	for i := range steps {
		near := math.Exp(-float64(i) / float64(4*(s.opts.Lead+1)))
		o.Median[i] = t.exp(path[i])
		o.Cover[i] = t.exp(stats.Max(path[i:i+s.opts.Lead+1]) + near*lift + (1-near)*s.margins.at(i, math.Max(lift, s.far)))
	}
	o.Cover[0] = s.served.cover
	o.Benchmarks = s.served.record.latest(n)
	for k := range o.Benchmarks {
		o.Benchmarks[k] *= t.unit * math.Exp(t.days.Max(n, s.opts.Lead+1))
	}
	o.Level *= t.unit * math.Exp(t.days.At(n-1))
	for i := range o.Cover {
		o.Cover[i] = orNothing(math.Min(o.Cover[i], coverReach*t.top))
		if s.idle(n, i) {
			o.Cover[i] = 0
		}
		o.Median[i] = orNothing(o.Median[i])
		o.Cover[i] *= t.unit * math.Exp(t.days.Max(n+i, s.opts.Lead+1))
		o.Median[i] *= t.unit * math.Exp(t.days.At(n+i))
	}
	return o
}

// idleSeasons is how many seasons must have been without demand at this time for none to be provided for.
const idleSeasons = 3

// idle says whether nothing is to be provided for the lead window that begins i steps after step n: nothing is asked for now, nor was at
// this time in the last seasons. A margin, which is learned from all hours, would keep a replica up all night.
func (s *state) idle(n, i int) bool {
	t := s.track
	if s.periods.Day == 0 || n == 0 || !t.zeros || t.x[n-1] > zeroAt {
		return false
	}
	seen := 0
	for k := 1; k <= 7; k++ {
		j := t.Back(n+i, k*s.periods.Day)
		if j < 0 || j >= len(t.peak) {
			continue
		}
		if t.exp(t.peak[j]) > zeroAt {
			return false
		}
		seen++
	}
	return seen >= idleSeasons
}

// orNothing returns 0 for what counts as zero in the history: the smallest remainder of a logarithm would keep a replica up all night.
func orNothing(v float64) float64 {
	if v < zeroAt {
		return 0
	}
	return v
}

// coverReach bounds what is provisioned for, in units of the most that was ever seen: margins are factors, and one that was learned in a quiet
// hour may meet a busy one.
const coverReach = 2

// ahead returns the log of the demand expected i steps after step n.
func (s *state) ahead(n, i int) float64 {
	t := s.track
	now := t.level[n]
	moved := s.shifted(n)
	sum, then, k := 0.0, 0.0, 0.0
	for _, season := range [...]struct {
		period int
		share  float64
	}{{s.periods.Day, 1 - s.weekly}, {s.periods.Week, s.weekly}} {
		p := season.period
		if p == 0 {
			continue
		}
		share := math.Max(season.share, 1e-9) // so that the other one steps in where this one has nothing to say
		lag := p * (i/p + 1)
		if j := t.Back(n+i, lag); j >= 0 && j < n {
			by := moved.of(lag)
			sum += share * (t.log(t.x[j]) + by)
			then += share * (t.level[max(0, j-i)] + by)
			k += share
		}
	}
	if k == 0 {
		return now
	}
	damp := math.Exp(-float64(i) / float64(max(1, s.periods.Day/4)))
	return sum/k + damp*stats.Clamp(now-then/k, -reach, reach)
}

// shifted returns the shifts of earlier seasons before step n; those of the last n that was asked for are kept.
func (s *state) shifted(n int) *shifts {
	if s.moved == nil || s.movedAt != n {
		moved := s.features.shifted(s.track, n)
		s.moved, s.movedAt = &moved, n
	}
	return s.moved
}

func (s *state) skilled() bool { return s.served.record.skilled() }
