package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// maxChange bounds features and targets, on the log scale: demand is not expected to change by more
// than a factor of e² within a lead window. A feature beyond that is noise, which a linear model
// must not extrapolate. Under a shortage cost the bound is wider, enough to rise from idle to the
// mean: margins are then learned from every step and not from rare misses.
const (
	maxChange         = 2.0
	maxChangeShortage = 3.0
)

// maxChange returns the bound under a contract.
func (c Contract) maxChange() float64 {
	if c.ShortageCost > 0 {
		return maxChangeShortage
	}
	return maxChange
}

const (
	singleDays, singleWeeks = 3, 2 // the latest seasons that have features of their own
	dayOrder, weekOrder     = 2, 1 // harmonics of the seasons
)

// A featurizer describes the time just before a step by numbers that do not depend on the unit of
// demand. They compare the recent levels, and the same window one or more seasons ago, with the
// level now.
type featurizer struct {
	bound     float64 // of features and targets
	day, week int     // steps in a short and in a long season; zero when there is none
	sub       int     // a season within the short one; zero when there is none
	lead      int
	windows   []int // steps that recent means are taken over, ascending
	days      []int // lags of whole short seasons, ascending
	weeks     []int // lags of whole long seasons, ascending
	lags      []int // both, ascending
}

// newFeaturizer returns the features for a history of so many steps.
func newFeaturizer(p season.Periods, lead, steps int, bound float64) featurizer {
	day, week := p.Day, p.Week
	f := featurizer{bound: bound, lead: lead, sub: p.Sub}
	for _, w := range []int{1, lead + 1, 2 * (lead + 1), 4 * (lead + 1), 8 * (lead + 1), day / 4, day} {
		if w > 0 && (len(f.windows) == 0 || w > f.windows[len(f.windows)-1]) {
			f.windows = append(f.windows, w)
		}
	}
	f.days = lagsOf(day, past.DaysBack, lead, steps)
	f.weeks = lagsOf(week, past.WeeksBack, lead, steps)
	if len(f.days) > 0 {
		f.day = day
	}
	if len(f.weeks) > 0 {
		f.week = week
	}
	f.lags = f.days
	if len(f.weeks) > 0 && (len(f.days) == 0 || f.weeks[0] >= f.days[len(f.days)-1]) {
		f.lags = append(slices.Clone(f.days), f.weeks...)
	}
	return f
}

// lagsOf returns up to most multiples of a season which a history of so many steps has seen often
// enough to learn from.
func lagsOf(season, most, lead, steps int) []int {
	var lags []int
	for k := 1; season > 0 && len(lags) < most; k++ {
		lag := k * season
		if lag*5/4 >= steps {
			break
		}
		if lag > lead {
			lags = append(lags, lag)
		}
	}
	return lags
}

// levelShifts returns the level shifts since the lags, before step i.
func (f *featurizer) levelShifts(h *past.History, i int) past.Shifts {
	if f.day == 0 {
		return past.Shifts{}
	}
	return h.LevelShifts(i, f.day, f.lags)
}

// size returns the number of features.
func (f *featurizer) size() int {
	n := 1 + len(f.windows) + 4
	if f.day > 0 {
		n += 2*min(singleDays, len(f.days)) + 6 + 2*dayOrder
	}
	if f.week > 0 {
		n += 2*min(singleWeeks, len(f.weeks)) + 6 + 2*weekOrder
	}
	return n
}

// first returns the first step that can be described.
func (f *featurizer) first() int {
	if len(f.days) > 0 {
		return f.days[0] + 1
	}
	return 1
}

// round drops what floating-point sums leave in the last digits: a tree must not split on rounding
// errors, or the unit of demand would matter.
func round(v float64) float64 { return math.Round(v*1e7) / 1e7 }

// fill writes the features of step i to out. They are made from the steps before i.
func (f *featurizer) fill(h *past.History, i int, out []float64) {
	now := h.LevelAt(i)
	k := 0
	add := func(v float64) { out[k] = round(stats.Clamp(v, -f.bound, f.bound)); k++ }
	add(1)
	for _, w := range f.windows {
		add(h.Log(h.Mean(i, w)) - now)
	}
	largest, variation := h.Recent(i)
	add(h.Log(largest) - now)
	add(variation)
	add(h.LevelAt(i) - h.LevelAt(max(0, i-f.lead-1)))
	add(math.Max(0, h.Log(h.Mean(i, 1))-now)) // a rise says more about the next maximum than a fall
	shifted := f.levelShifts(h, i)
	if f.day > 0 {
		f.seasonal(h, i, f.days, singleDays, &shifted, add)
		harmonics(h, i, f.day, dayOrder, add)
	}
	if f.week > 0 {
		f.seasonal(h, i, f.weeks, singleWeeks, &shifted, add)
		harmonics(h, i, f.week, weekOrder, add)
	}
}

// harmonics adds the sines and cosines of the position within a season.
func harmonics(h *past.History, i, season, order int, add func(float64)) {
	a := 2 * math.Pi * float64((i+h.Offset(i))%season) / float64(season)
	for k := 1; k <= order; k++ {
		sin, cos := math.Sincos(float64(k) * a)
		add(sin)
		add(cos)
	}
}

// seasonal adds how far the maximum of the lead window at each lag rose above the level then (its
// rise), and how far it lies above the level now (its excess). It adds them singly for the latest
// seasons, and averaged over all lags. A season before the history counts as the average.
func (f *featurizer) seasonal(h *past.History, i int, lags []int, single int, shifted *past.Shifts, add func(float64)) {
	now := h.LevelAt(i)
	var rises, excesses [max(past.DaysBack, past.WeeksBack)]float64
	n := 0
	var sumRise, sumExcess, sumHinge, sumLevel float64
	most := -f.bound
	for _, lag := range lags {
		j := h.Back(i, lag)
		if j < 0 || j >= h.Windows() || j+h.Lead >= i {
			continue
		}
		largest, level, by := h.WindowMaxAt(j), h.LevelAt(j), shifted.Of(lag)
		rise := stats.Clamp(largest-level, -f.bound, f.bound)
		excess := stats.Clamp(largest+by-now, -f.bound, f.bound)
		rises[n], excesses[n] = rise, excess
		n++
		sumRise += rise
		sumExcess += excess
		sumHinge += math.Max(0, excess)
		sumLevel += level + by
		most = math.Max(most, excess)
	}
	count := math.Max(float64(n), 1)
	for k := range min(single, len(lags)) {
		if k < n {
			add(rises[k])
			add(math.Max(0, excesses[k]))
		} else {
			add(sumRise / count)
			add(sumHinge / count)
		}
	}
	add(sumRise / count)
	add(sumExcess / count)
	add(math.Max(0, sumExcess/count))
	add(sumHinge / count)
	add(math.Max(0, most))
	if n == 0 {
		add(0)
		return
	}
	add(sumLevel/count - now)
}
