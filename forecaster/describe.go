package forecaster

import (
	"math"
	"time"
)

// A Description says what a Forecaster did and how well, for people and for status.
type Description struct {
	FittedAt time.Time       // the fit instant; zero before Start
	Points   int             // steps of history that the fit looked at
	Periods  []time.Duration // seasons in use, shortest first
	Models   []Weight        // what the served estimate is made of; weights sum to one
	Skill    float64         // 1 − loss ÷ the better benchmark's, on held-out history and since; zero where the last season is repeated
	Coverage float64         // share of lead windows that were covered, there; NaN where none was scored
	// Uncalibrated is the demand to cover over the coming lead window as the first model estimates it,
	// before the margin or the weights that the contract asks for.
	Uncalibrated float64
	Warnings     []string // what a reader should know, in full sentences
}

// A Weight is a model and its share in an estimate.
type Weight struct {
	Model string
	Share float64
}

// Describe says what the state is made of.
func (f *Forecaster) Describe() Description {
	if f.state == nil {
		return Description{}
	}
	return f.state.describe(f.start, f.dropped)
}

func (s *state) describe(start time.Time, dropped int) Description {
	t, n := s.track, s.track.n()
	d := Description{
		FittedAt: start.Add(time.Duration(s.fittedAt-dropped) * s.opts.Step), Points: s.points,
		Skill: s.served.record.skill(), Coverage: s.served.record.covered.share(), Warnings: s.warnings,
		Uncalibrated: t.unit * t.exp(t.level[n]+s.served.estimates[0]) * math.Exp(t.days.Max(n, t.lead+1)),
	}
	d.Models = s.models()
	for _, p := range []int{s.periods.Sub, s.periods.Day, s.periods.Week} {
		if p > 0 {
			d.Periods = append(d.Periods, time.Duration(p)*s.opts.Step)
		}
	}
	return d
}

// models returns what the served estimate is made of.
func (s *state) models() []Weight {
	if s.served.record.repeats() {
		return []Weight{{Model: s.served.record.naive.name(), Share: 1}}
	}
	var out []Weight
	for c, w := range s.served.control.weights(len(s.served.family.candidates)) {
		out = append(out, Weight{Model: s.served.family.candidates[c].name(), Share: w})
	}
	return out
}
