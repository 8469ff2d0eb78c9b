package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// A tracker moves a margin, on the log scale, up when a promise was broken and down when it was kept, so that in the long run the
// share of broken promises is the one aimed at (adaptive conformal inference, Gibbs and Candès 2021).
type tracker struct {
	aim    float64 // share of promises that may be broken
	rate   float64 // how far a broken promise moves the margin
	margin float64
}

func (t *tracker) learn(broken bool) {
	miss := 0.0
	if broken {
		miss = 1
	}
	t.margin = stats.Clamp(t.margin+t.rate*(miss-t.aim), -reach, reach)
}

// A steerer serves a service level. It adds to one estimate the margin that keeps the share of covered lead windows at the level:
// one margin for all, and one for each part of the day, since a model's errors differ between night and noon.
type steerer struct {
	lead    int
	season  int // steps of a day; 0 where there is none
	all     tracker
	parts   [dayParts]tracker
	pending []float64 // estimates before the last lead + 1 steps, with margin, a ring by step
	given   int       // promises given so far
}

// dayParts is how many parts of the day have a margin of their own.
const dayParts = 6

func newSteerer(c Contract, lead, day int, spread float64) *steerer {
	s := &steerer{lead: lead, season: day, pending: make([]float64, lead+1)}
	aim := 1 - c.ServiceLevel
	// The rarer a broken promise may be, the more it says.
	rate := steerRate * spread / sqrt(lead+1) / math.Pow(aim, 0.25)
	s.all = tracker{aim: aim, rate: rate}
	for k := range s.parts {
		s.parts[k] = tracker{aim: aim, rate: partRate * rate}
	}
	return s
}

const (
	steerRate = 0.10 // how far a broken promise moves the margin for all hours, in units of the spread of the estimate's errors
	partRate  = 0.5  // and that of its part of the day, in units of the other
)

// part returns the part of the day that step i lies in.
func (s *steerer) part(t *track, i int) int {
	if s.season < dayParts {
		return 0
	}
	at := (i + t.Offset(i)) % s.season
	return (at + s.season) % s.season * dayParts / s.season
}

func (s *steerer) decide(t *track, i int, estimates []float64) float64 {
	q := estimates[0] + s.all.margin + s.parts[s.part(t, i)].margin
	s.pending[i%len(s.pending)] = t.level[i] + q
	s.given++
	return t.exp(t.level[i] + q)
}

func (s *steerer) observe(t *track, i int) {
	from := i - s.lead
	if s.given <= s.lead || from < 0 || !t.sound[i] || !t.sound[from] {
		return
	}
	broken := t.peak[from] > s.pending[from%len(s.pending)]
	s.all.learn(broken)
	s.parts[s.part(t, from)].learn(broken)
}

// weights returns one share: a single candidate is served.
func (s *steerer) weights(candidates int) []float64 {
	w := make([]float64, candidates)
	w[0] = 1
	return w
}
