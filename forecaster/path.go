package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A path is the demand that is expected step by step from an origin on. It mixes yesterday and last
// week. The present deviation from them fades within a quarter of a day.
type path struct {
	h       *past.History
	origin  int     // the first unknown step
	now     float64 // log of the level at the origin
	fade    float64 // in how many steps the deviation fades to 1/e
	shifted *past.Shifts
	seasons [2]pathSeason
}

// A pathSeason is a season that a path repeats. It remembers what is the same for many steps.
type pathSeason struct {
	period int     // in steps; 0 when there is none
	share  float64 // of the path
	lag    int     // how far back the steps lie that are repeated now
	shift  float64 // since then
	before int     // the step to which the level belongs
	level  float64 // log of the level then, at the time of day of the origin
}

// pathFrom returns the path from a step on, as expected before it.
func (s *state) pathFrom(origin int) path {
	p := path{
		h: s.history, origin: origin, now: s.history.LevelAt(origin), shifted: s.levelShifts(origin),
		fade: float64(max(1, s.periods.Day/4)),
	}
	p.seasons[0] = pathSeason{period: s.periods.Day, share: 1 - s.weekShare, before: -1}
	p.seasons[1] = pathSeason{period: s.periods.Week, share: s.weekShare, before: -1}
	for k := range p.seasons {
		p.seasons[k].share = math.Max(p.seasons[k].share, 1e-9) // it decides when the other is unknown
	}
	return p
}

// at returns the log of the demand expected i steps after the origin.
func (p *path) at(i int) float64 {
	h := p.h
	var sum, level, weights float64
	for k := range p.seasons {
		s := &p.seasons[k]
		if s.period == 0 {
			continue
		}
		if i >= s.lag || i < s.lag-s.period {
			s.lag = s.period * (i/s.period + 1)
			s.shift = p.shifted.Of(s.lag)
		}
		j := h.Back(p.origin+i, s.lag)
		if j < 0 || j >= p.origin {
			continue
		}
		if before := max(0, j-i); before != s.before {
			s.before, s.level = before, h.LevelAt(before)
		}
		sum += s.share * (h.Log(h.DemandAt(j)) + s.shift)
		level += s.share * (s.level + s.shift)
		weights += s.share
	}
	if weights == 0 {
		return p.now
	}
	fade := math.Exp(-float64(i) / p.fade)
	return sum/weights + fade*stats.Clamp(p.now-level/weights, -maxChange, maxChange)
}

// expected returns the logs of the demand that is expected in the next steps.
func (s *state) expected(steps int) []float64 {
	p := s.pathFrom(s.history.N())
	out := make([]float64, steps)
	for i := range out {
		out[i] = p.at(i)
	}
	return out
}

// levelShifts returns the level shifts since earlier seasons, before step n.
func (s *state) levelShifts(n int) *past.Shifts {
	if s.shifts == nil || s.shiftsAt != n {
		found := s.features.levelShifts(s.history, n)
		s.shifts, s.shiftsAt = &found, n
	}
	return s.shifts
}
