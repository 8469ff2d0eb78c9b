package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// A Description says what a Forecaster did and how well, for the status of a Forecast and for
// reports.
type Description struct {
	FittedAt time.Time       // the fit instant; zero before Start
	Points   int             // steps of history that the fit looked at
	Periods  []time.Duration // seasons in use, shortest first
	Models   []Weight        // what the served estimate is made of; weights sum to one
	// Skill is 1 − loss ÷ the better benchmark's loss, on held-out history and since. It is zero
	// while the last season is served.
	Skill float64
	// Coverage is the share of lead windows that were covered, there; NaN when none was scored.
	Coverage float64
	// Uncalibrated is the demand to cover over the coming lead window as the first model estimates
	// it, before the margin or the weights that the contract asks for.
	Uncalibrated float64
	Warnings     []string // what a reader should know, in full sentences
}

// A Weight is a model and its share in an estimate.
type Weight struct {
	Model string
	Share float64
}

// Describe describes the state. It returns the zero Description before Start.
func (f *Forecaster) Describe() Description {
	if f.state == nil {
		return Description{}
	}
	return f.state.describe(f.start, f.dropped)
}

func (s *state) describe(start time.Time, dropped int) Description {
	h, n := s.history, s.history.N()
	estimate := h.Exp(h.LevelAt(n) + s.served.estimates[0])
	d := Description{
		FittedAt: start.Add(time.Duration(s.fittedAt-dropped) * s.opts.Step), Points: s.points,
		Models: s.models(), Skill: s.served.scores.skill(), Coverage: s.served.scores.covered.share(),
		Uncalibrated: h.Unit * estimate * math.Exp(stats.Max(h.Days.Between(n, n+h.Lead+1))),
		Warnings:     s.warnings,
	}
	for _, p := range []int{s.periods.Sub, s.periods.Day, s.periods.Week} {
		if p > 0 {
			d.Periods = append(d.Periods, time.Duration(p)*s.opts.Step)
		}
	}
	return d
}

// models returns what the served estimate is made of.
func (s *state) models() []Weight {
	if s.served.scores.seasonIsBest() {
		return []Weight{{Model: s.served.scores.season.name(), Share: 1}}
	}
	var out []Weight
	names := s.served.set.names()
	for c, w := range s.served.calibrator.candidateWeights(len(names)) {
		out = append(out, Weight{Model: names[c], Share: w})
	}
	return out
}
