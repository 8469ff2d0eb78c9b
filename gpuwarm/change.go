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
	old, recent := map[Path]float64{}, map[Path]float64{}
	for i, s := range out {
		switch {
		case i < from:
			old[s.path]++
		case s.event:
			recent[s.path]++
		}
	}
	for i := range out[:from] {
		path := out[i].path
		need := changeStarts * old[path] / float64(from)
		out[i].secs *= math.Exp(shift)
		out[i].weight *= min(1, max(0, need-recent[path])/old[path])
	}
	return out
}

// lastChange is the split at which the starts before differ most from those after, or 0 where none differs enough. The statistic is
// Gehan's generalisation of Wilcoxon's to censored times, path by path (van Elteren): a run of cold starts among warm ones is no
// change of level.
func lastChange(samples []sample) int {
	strata := map[Path][]int{}
	for i, s := range samples {
		if !s.failed {
			strata[s.path] = append(strata[s.path], i)
		}
	}
	score := make([]float64, len(samples))
	type stratum struct{ size, before, squares, sum float64 }
	sums := map[Path]*stratum{}
	for path, members := range strata {
		st := &stratum{size: float64(len(members))}
		for _, i := range members {
			for _, j := range members {
				score[i] += order(samples[i], samples[j])
			}
			st.squares += score[i] * score[i]
		}
		sums[path] = st
	}
	best, bestZ := 0, 1.0
	for split := 1; split < len(samples); split++ {
		if s := samples[split-1]; !s.failed {
			sums[s.path].before++
			sums[s.path].sum -= score[split-1] // the scores of a stratum add up to 0: this is the sum of those after
		}
		var t, variance float64
		for _, st := range sums {
			if st.size < 2 {
				continue
			}
			w := 1 / (st.size + 1)
			t += w * st.sum
			variance += w * w * st.before * (st.size - st.before) / (st.size * (st.size - 1)) * st.squares
		}
		if variance <= 0 {
			continue
		}
		threshold := changeZ
		if a, b := samples[split-1].image, samples[split].image; a != "" && b != "" && a != b {
			threshold = imageChangeZ
		}
		if z := math.Abs(t) / math.Sqrt(variance) / threshold; z > bestZ {
			best, bestZ = split, z
		}
	}
	return best
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
