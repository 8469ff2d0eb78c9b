package forecaster

import "math"

// reach bounds every feature and every target: demand is not expected to move by more than e² within a lead window, and a
// feature that says so is noise that a linear model must not extrapolate.
const reach = 2.0

// A featurizer describes the moment before step t by numbers that do not depend on the unit of demand: how the recent levels, and
// the same windows one or more seasons ago, compare with the level now.
type featurizer struct {
	day, week int // steps in a short and in a long season; zero where there is none
	lags      []int
	windows   []int
}

func newFeaturizer(day, week, lead, history int) featurizer {
	f := featurizer{day: day, week: week}
	for _, w := range []int{1, lead + 1, 2 * (lead + 1), 4 * (lead + 1), 8 * (lead + 1), day / 4, day} {
		if w > 0 && (len(f.windows) == 0 || w > f.windows[len(f.windows)-1]) {
			f.windows = append(f.windows, w)
		}
	}
	if day > 0 {
		for k := 1; k <= 3; k++ {
			f.lags = append(f.lags, k*day)
		}
	}
	if week > 0 {
		f.lags = append(f.lags, week, 2*week)
	}
	kept := f.lags[:0]
	for _, l := range f.lags {
		if l > lead && l*5/4 < history {
			kept = append(kept, l)
		}
	}
	f.lags = kept
	return f
}

// size returns the number of features.
func (f *featurizer) size() int {
	n := 1 + len(f.windows) + 1
	if len(f.lags) > 0 {
		n += 2*len(f.lags) + 3
	}
	if f.day > 0 {
		n += 4
	}
	return n
}

// first returns the first step that can be described.
func (f *featurizer) first() int {
	if len(f.lags) > 0 {
		return f.lags[0] + 1
	}
	return 1
}

func clamp(v, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, v)) }

// fill writes the features of step i, from the steps before i, to out.
func (f *featurizer) fill(t *track, i int, out []float64) {
	now := t.level[i]
	k := 0
	put := func(v float64) { out[k] = clamp(v, -reach, reach); k++ }
	put(1)
	for _, w := range f.windows {
		put(t.log(t.mean(i, w)) - now)
	}
	top := 0.0
	for _, v := range t.x[max(0, i-2*(t.lead+1)):i] {
		top = max(top, v)
	}
	put(t.log(top) - now)
	if len(f.lags) > 0 {
		f.seasonal(t, i, now, put)
	}
	if f.day > 0 {
		a := 2 * math.Pi * float64((i+t.offset(i))%f.day) / float64(f.day)
		s, c := math.Sincos(a)
		put(s)
		put(c)
		put(2 * s * c)
		put(c*c - s*s)
	}
}

// seasonal writes, for each lag, how much the lead window then rose above the level then, and above the level now.
func (f *featurizer) seasonal(t *track, i int, now float64, put func(float64)) {
	sumRise, sumOver, most, n := 0.0, 0.0, -reach, 0.0
	for _, lag := range f.lags {
		j := t.back(i, lag)
		var rise, over float64
		if j >= 0 && j < len(t.peak) && j+t.lead < i {
			rise = clamp(t.peak[j]-t.level[j], -reach, reach)
			over = clamp(t.peak[j]-now, -reach, reach)
			sumRise += rise
			sumOver += over
			most = max(most, over)
			n++
		} else if n > 0 {
			rise, over = sumRise/n, sumOver/n
		}
		put(rise)
		put(max(0, over))
	}
	n = max(n, 1)
	put(sumRise / n)
	put(max(0, sumOver/n))
	put(max(0, most))
}
