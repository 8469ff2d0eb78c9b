package gpuwarm

import (
	"math"
	"slices"
)

// How sure a change of level must be, in standard deviations of the rank statistic. Every split of the window is looked at, so
// this is more than it would take for one. Where the image changes at the split there is a reason to expect a change.
const (
	changeZ      = 2.75
	imageChangeZ = 2.0
	// leastChange is the smallest change of level that is acted upon, as a logarithm: 10 %.
	leastChange = 0.0953
	// mostChange bounds what is extrapolated from: a factor of 20.
	mostChange = 3.0
	// changeStarts is how many starts at a new level are enough without those of the old one.
	changeStarts = 20
)

// level returns the samples, oldest first, as if all were from the newest level: those from before the last change are moved to
// it and lose their weight as newer ones come in. The input is not changed.
func level(samples []sample) []sample {
	out := append([]sample(nil), samples...)
	from := 0
	for {
		split := from + lastChange(out[from:])
		if split == from {
			break
		}
		from = split
	}
	if from == 0 {
		return out
	}
	shift, ok := shiftOf(out[:from], out[from:])
	if !ok {
		return out
	}
	// Path by path, for the cold starts since the change finish later than the warm ones.
	old, recent, novel := map[Path]float64{}, map[Path]float64{}, 0.0
	for i, s := range out {
		switch {
		case i < from:
			old[s.path]++
		case s.event && old[s.path] == 0:
			novel++ // a path that is new speaks for all
		case s.event:
			recent[s.path]++
		}
	}
	for i := range out[:from] {
		path := out[i].path
		need := changeStarts * old[path] / float64(from)
		out[i].secs *= math.Exp(shift)
		out[i].weight *= min(1, max(0, need-recent[path]-novel*need/changeStarts)/old[path])
	}
	return out
}

// lastChange is the split at which the starts before differ most from those after, or 0 where none differs enough. The statistic is
// Gehan's generalisation of Wilcoxon's to censored times, path by path (van Elteren): a run of cold starts among warm ones is no
// change of level. Only where most starts after the split took paths that hardly any took before, so that there is nothing to compare path by
// path, all are compared with all.
func lastChange(samples []sample) int {
	byPath, together := ranks{}, ranks{}
	for _, s := range samples {
		byPath.add(s.path, s)
		together.add(PathUnknown, s)
	}
	byPath.score()
	together.score()
	best, bestZ := 0, 1.0
	for split := 1; split < len(samples); split++ {
		if s := samples[split-1]; !s.failed {
			byPath[s.path].move()
			together[PathUnknown].move()
		}
		z := byPath.z()
		if byPath.novel() {
			z = together.z()
		}
		threshold := changeZ
		if a, b := samples[split-1].image, samples[split].image; a != "" && b != "" && a != b {
			threshold = imageChangeZ
		}
		if z /= threshold; z > bestZ {
			best, bestZ = split, z
		}
	}
	return best
}

// ranks are the strata of the rank statistic.
type ranks map[Path]*stratum

// A stratum is what is compared with each other: its samples in order, the first before of which are before the split.
type stratum struct {
	samples      []sample
	scores       []float64
	before       int
	sum, squares float64 // of the scores after the split, and of all squared
}

func (r ranks) add(p Path, s sample) {
	if s.failed {
		return
	}
	if r[p] == nil {
		r[p] = &stratum{}
	}
	r[p].samples = append(r[p].samples, s)
}

func (r ranks) score() {
	for _, st := range r {
		st.scores = make([]float64, len(st.samples))
		for i := range st.samples {
			for j := range st.samples {
				st.scores[i] += order(st.samples[i], st.samples[j])
			}
			st.squares += st.scores[i] * st.scores[i]
		}
	}
}

// move takes the next sample of the stratum to before the split. All scores add up to 0.
func (st *stratum) move() {
	st.sum -= st.scores[st.before]
	st.before++
}

// z is the absolute value of the statistic in standard deviations; 0 where nothing can be compared.
func (r ranks) z() float64 {
	var t, variance float64
	for _, st := range r {
		n, before := float64(len(st.samples)), float64(st.before)
		if n < 2 {
			continue
		}
		w := 1 / (n + 1)
		t += w * st.sum
		variance += w * w * before * (n - before) / (n * (n - 1)) * st.squares
	}
	if variance <= 0 {
		return 0
	}
	return math.Abs(t) / math.Sqrt(variance)
}

// novel is whether most samples after the split took paths that fewer than three took before.
func (r ranks) novel() bool {
	unseen, all := 0, 0
	for _, st := range r {
		after := len(st.samples) - st.before
		all += after
		if st.before < 3 {
			unseen += after
		}
	}
	return 2*unseen > all
}

// order is 1 where a certainly took longer than b, -1 where b did, and 0 where nobody knows.
func order(a, b sample) float64 {
	switch {
	case b.event && (b.secs < a.secs || (b.secs == a.secs && !a.event)):
		return 1
	case a.event && (a.secs < b.secs || (b.secs == a.secs && !b.event)):
		return -1
	}
	return 0
}

// shiftOf is the logarithm of the factor between two levels: the median of all pairs (Hodges and Lehmann), path by path where a path has
// starts at both levels. Starts that are still going on count once they are past the median before.
func shiftOf(before, after []sample) (float64, bool) {
	old := map[Path][]float64{}
	var all []float64
	for _, s := range before {
		if s.event {
			old[s.path] = append(old[s.path], math.Log(s.secs))
			all = append(all, math.Log(s.secs))
		}
	}
	var pairs []float64
	for _, s := range after {
		base := old[s.path]
		if len(base) == 0 {
			base = all
		}
		l := math.Log(s.secs)
		if s.failed || (!s.event && l < median(base)) {
			continue
		}
		for _, b := range base {
			pairs = append(pairs, l-b)
		}
	}
	if len(pairs) == 0 {
		return 0, false
	}
	shift := median(pairs)
	return min(max(shift, -mostChange), mostChange), math.Abs(shift) >= leastChange
}

// median of x, NaN without any.
func median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Clone(x)
	slices.Sort(s)
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
