package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// reach bounds features and targets: demand is not expected to move by more than e² within a lead window, and a feature that says so is
// noise that a linear model must not extrapolate. Under a shortage cost, whose margins are learned from every step and not from rare
// misses, it is far enough to rise from idle to the mean.
const (
	reach    = 2.0
	farReach = 3.0
)

// reach returns the bound under a contract.
func (c Contract) reach() float64 {
	if c.ShortageCost > 0 {
		return farReach
	}
	return reach
}

const (
	daysBack  = 7 // short seasons that averages look back on
	weeksBack = 6 // long seasons, likewise
)

// A featurizer describes the moment before step t by numbers that do not depend on the unit of demand: how the recent levels, and
// the same windows one or more seasons ago, compare with the level now.
type featurizer struct {
	reach     float64 // bound of features and targets
	day, week int     // steps in a short and in a long season; zero where there is none
	sub       int     // a season within the short one; zero where there is none
	lead      int
	windows   []int
	days      []int // lags of whole short seasons, ascending
	weeks     []int
	lags      []int // both, ascending
}

func newFeaturizer(p season.Periods, lead, history int, reach float64) featurizer {
	day, week := p.Day, p.Week
	f := featurizer{reach: reach, lead: lead, sub: p.Sub}
	for _, w := range []int{1, lead + 1, 2 * (lead + 1), 4 * (lead + 1), 8 * (lead + 1), day / 4, day} {
		if w > 0 && (len(f.windows) == 0 || w > f.windows[len(f.windows)-1]) {
			f.windows = append(f.windows, w)
		}
	}
	f.days = lagsOf(day, daysBack, lead, history)
	f.weeks = lagsOf(week, weeksBack, lead, history)
	if len(f.days) > 0 {
		f.day = day
	}
	if len(f.weeks) > 0 {
		f.week = week
	}
	if f.lags = f.days; len(f.weeks) > 0 && (len(f.days) == 0 || f.weeks[0] >= f.days[len(f.days)-1]) {
		f.lags = append(slices.Clone(f.days), f.weeks...)
	}
	return f
}

// shifted returns the shifts of the lags before step i.
func (f *featurizer) shifted(t *track, i int) shifts {
	if f.day == 0 {
		return shifts{}
	}
	return t.shifted(i, f.day, f.lags)
}

// lagsOf returns up to most multiples of a season that a history of so many steps has seen often enough to learn from.
func lagsOf(season, most, lead, history int) []int {
	var lags []int
	for k := 1; season > 0 && len(lags) < most; k++ {
		lag := k * season
		if lag*5/4 >= history {
			break
		}
		if lag > lead {
			lags = append(lags, lag)
		}
	}
	return lags
}

// size returns the number of features.
func (f *featurizer) size() int {
	n := 1 + len(f.windows) + 4
	if f.day > 0 {
		n += 2*min(3, len(f.days)) + 6 + 4
	}
	if f.week > 0 {
		n += 2*min(2, len(f.weeks)) + 6 + 2
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

// grain rounds away what sums leave behind the comma: a tree must not split on rounding errors, or the unit of demand would matter.
func grain(v float64) float64 { return math.Round(v*1e7) / 1e7 }

// fill writes the features of step i, from the steps before i, to out.
func (f *featurizer) fill(t *track, i int, out []float64) {
	now := t.level[i]
	k := 0
	put := func(v float64) { out[k] = grain(stats.Clamp(v, -f.reach, f.reach)); k++ }
	put(1)
	for _, w := range f.windows {
		put(t.log(t.mean(i, w)) - now)
	}
	top, rough := t.restless(i)
	put(t.log(top) - now)
	put(rough)
	put(t.level[i] - t.level[max(0, i-f.lead-1)])
	put(math.Max(0, t.log(t.mean(i, 1))-now)) // a rise says more about the maximum to come than a fall
	moved := f.shifted(t, i)
	if f.day > 0 {
		f.seasonal(t, i, f.days, 3, &moved, put)
		harmonics(t, i, f.day, 2, put)
	}
	if f.week > 0 {
		f.seasonal(t, i, f.weeks, 2, &moved, put)
		harmonics(t, i, f.week, 1, put)
	}
}

// maxRestless bounds how many steps restless looks at.
const maxRestless = 720

// restless returns the maximum over the two latest lead windows, and how much demand moves from step to step relative to its mean.
func (t *track) restless(i int) (top, rough float64) {
	w := min(2*(t.lead+1), maxRestless)
	recent := t.x[max(0, i-w):i]
	if len(recent) == 0 {
		return 0, 0
	}
	moves, sum := 0.0, 0.0
	for k, v := range recent {
		top = math.Max(top, v)
		sum += v
		if k > 0 {
			moves += math.Abs(v - recent[k-1])
		}
	}
	return top, moves / (sum + t.soft*float64(len(recent)))
}

// harmonics writes the sines and cosines of the place within a season.
func harmonics(t *track, i, season, order int, put func(float64)) {
	a := 2 * math.Pi * float64((i+t.Offset(i))%season) / float64(season)
	for k := 1; k <= order; k++ {
		s, c := math.Sincos(float64(k) * a)
		put(s)
		put(c)
	}
}

// seasonal writes how much the lead windows that many seasons ago rose above the level then, and how far they lie above the
// level now: singly for the latest seasons, and averaged over all lags. Seasons before the history count as the average.
func (f *featurizer) seasonal(t *track, i int, lags []int, single int, moved *shifts, put func(float64)) {
	now := t.level[i]
	var rises, overs [max(daysBack, weeksBack)]float64
	n := 0
	var sumRise, sumOver, sumHinge, sumThen float64
	most := -f.reach
	for _, lag := range lags {
		j := t.Back(i, lag)
		if j < 0 || j >= len(t.peak) || j+t.lead >= i {
			continue
		}
		rise := stats.Clamp(t.peak[j]-t.level[j], -f.reach, f.reach)
		by := moved.of(lag)
		over := stats.Clamp(t.peak[j]+by-now, -f.reach, f.reach)
		rises[n], overs[n] = rise, over
		n++
		sumRise += rise
		sumOver += over
		sumHinge += math.Max(0, over)
		sumThen += t.level[j] + by
		most = math.Max(most, over)
	}
	c := math.Max(float64(n), 1)
	for k := range min(single, len(lags)) {
		if k < n {
			put(rises[k])
			put(math.Max(0, overs[k]))
		} else {
			put(sumRise / c)
			put(sumHinge / c)
		}
	}
	put(sumRise / c)
	put(sumOver / c)
	put(math.Max(0, sumOver/c))
	put(sumHinge / c)
	put(math.Max(0, most))
	if n == 0 {
		put(0)
		return
	}
	put(sumThen/c - now)
}
