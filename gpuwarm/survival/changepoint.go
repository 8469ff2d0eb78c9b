package survival

import (
	"math"
	"slices"
)

// How certain a change of level must be, in standard deviations of the rank statistic. Every split
// of the samples is tested, so this is more than a single test would need. Where the image changes
// at the split, a change is more likely.
const (
	changeZ      = 2.75
	imageChangeZ = 2.0
)

const (
	// minLogShift is the logarithm of the smallest change of level that counts: 10 %.
	minLogShift = 0.0953
	// maxLogShift bounds the logarithm of a change: a factor of 20.
	maxLogShift = 3.0
	// replacingStarts is how many starts at a new level replace all those before.
	replacingStarts = 20
)

// AlignLevels returns the samples, oldest first, as if all were at the newest level. Samples from
// before the last change are scaled to the new level, and lose their weight as newer ones finish.
// The input is not changed.
func AlignLevels(samples []Sample) []Sample {
	out := slices.Clone(samples)
	from := 0
	for {
		split := from + changePoint(out[from:])
		if split == from {
			break
		}
		from = split
	}
	if from == 0 {
		return out
	}
	shift, ok := logShift(out[:from], out[from:])
	if !ok {
		return out
	}
	// Old samples are replaced within their stratum: the slow starts since the change finish later
	// than the fast ones.
	old, recent, unseen := map[string]float64{}, map[string]float64{}, 0.0
	for i, s := range out {
		switch {
		case i < from:
			old[s.Stratum]++
		case s.Finished && old[s.Stratum] == 0:
			unseen++ // a stratum without old samples replaces those of all
		case s.Finished:
			recent[s.Stratum]++
		}
	}
	for i := range out[:from] {
		stratum := out[i].Stratum
		need := replacingStarts * old[stratum] / float64(from)
		left := need - recent[stratum] - unseen*need/replacingStarts
		out[i].Seconds *= math.Exp(shift)
		out[i].Weight *= min(1, max(0, left)/old[stratum])
	}
	return out
}

// changePoint is the split at which the samples before and after differ most; 0 when no difference
// is certain enough.
//
// The statistic is Gehan's, which generalises Wilcoxon's to censored times. It is computed within
// each stratum and summed up (van Elteren): so a run of cold starts among warm ones is no change of
// level. When most samples after the split are of strata that hardly occurred before, there is
// nothing to compare within strata, and all samples are compared with each other.
func changePoint(samples []Sample) int {
	byStratum, pooled := newStrata(), newStrata()
	for _, s := range samples {
		byStratum.add(s.Stratum, s)
		pooled.add("", s)
	}
	byStratum.score()
	pooled.score()
	best, bestZ := 0, 1.0
	for split := 1; split < len(samples); split++ {
		if s := samples[split-1]; !s.Failed {
			byStratum.named[s.Stratum].advance()
			pooled.named[""].advance()
		}
		z := byStratum.z()
		if byStratum.mostlyNew() {
			z = pooled.z()
		}
		threshold := changeZ
		if a, b := samples[split-1].Image, samples[split].Image; a != "" && b != "" && a != b {
			threshold = imageChangeZ
		}
		if z /= threshold; z > bestZ {
			best, bestZ = split, z
		}
	}
	return best
}

// strata are the strata of the rank statistic. They are also kept in order, since sums of floats
// depend on it.
type strata struct {
	named   map[string]*stratum
	ordered []*stratum
}

func newStrata() *strata { return &strata{named: map[string]*stratum{}} }

// stratum holds samples that are compared with each other, in order.
type stratum struct {
	samples []Sample
	scores  []float64
	before  int     // how many of the samples are before the split
	sum     float64 // of the scores after the split
	squares float64 // sum of the squares of all scores
}

func (r *strata) add(name string, s Sample) {
	if s.Failed {
		return
	}
	st := r.named[name]
	if st == nil {
		st = &stratum{}
		r.named[name] = st
		r.ordered = append(r.ordered, st)
	}
	st.samples = append(st.samples, s)
}

// score computes Gehan's score of each sample.
func (r *strata) score() {
	for _, st := range r.ordered {
		st.scores = make([]float64, len(st.samples))
		for i := range st.samples {
			for j := range st.samples {
				st.scores[i] += gehan(st.samples[i], st.samples[j])
			}
			st.squares += st.scores[i] * st.scores[i]
		}
	}
}

// advance moves the split behind the next sample of the stratum. All scores together are 0.
func (st *stratum) advance() {
	st.sum -= st.scores[st.before]
	st.before++
}

// z is the absolute value of the statistic in standard deviations; 0 when nothing can be compared.
func (r *strata) z() float64 {
	var t, variance float64
	for _, st := range r.ordered {
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

// mostlyNew reports whether most samples after the split are of strata with fewer than three
// samples before it.
func (r *strata) mostlyNew() bool {
	unseen, all := 0, 0
	for _, st := range r.ordered {
		after := len(st.samples) - st.before
		all += after
		if st.before < 3 {
			unseen += after
		}
	}
	return 2*unseen > all
}

// gehan is 1 when a certainly took longer than b, -1 when b certainly took longer than a, and 0
// when censoring hides which.
func gehan(a, b Sample) float64 {
	switch {
	case b.Finished && (b.Seconds < a.Seconds || (b.Seconds == a.Seconds && !a.Finished)):
		return 1
	case a.Finished && (a.Seconds < b.Seconds || (b.Seconds == a.Seconds && !b.Finished)):
		return -1
	}
	return 0
}

// logShift is the logarithm of the factor between two levels: the median over all pairs (Hodges and
// Lehmann), within strata that have samples at both levels. Unfinished starts count once they are
// slower than the median before. ok is false when the change is too small to count, or unknown.
func logShift(before, after []Sample) (shift float64, ok bool) {
	old := map[string][]float64{}
	var all []float64
	for _, s := range before {
		if s.Finished {
			old[s.Stratum] = append(old[s.Stratum], math.Log(s.Seconds))
			all = append(all, math.Log(s.Seconds))
		}
	}
	var pairs []float64
	for _, s := range after {
		base := old[s.Stratum]
		if len(base) == 0 {
			base = all
		}
		l := math.Log(s.Seconds)
		if s.Failed || (!s.Finished && l < Median(base)) {
			continue
		}
		for _, b := range base {
			pairs = append(pairs, l-b)
		}
	}
	if len(pairs) == 0 {
		return 0, false
	}
	shift = Median(pairs)
	return min(max(shift, -maxLogShift), maxLogShift), math.Abs(shift) >= minLogShift
}
