package accuracy

import (
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"
)

const (
	// tolerance is how many times the allowed misses are tolerated.
	tolerance = 1.25
	// missedBelow is the p-value below which the level is missed, and holdsAbove the one above
	// which it holds again.
	missedBelow, holdsAbove = 0.0005, 0.05
	// minSpans is how many spans with promises a verdict needs: about a day of them.
	minSpans = perDay
)

// State says whether the level that the contract asks for is missed.
type State string

// The states of a [Verdict].
const (
	// Unknown indicates that there are too few promises.
	Unknown State = "Unknown"
	// Holds indicates that chance explains the misses.
	Holds State = "Holds"
	// Missed indicates that chance does not explain them.
	Missed State = "Missed"
)

// Verdict is the outcome of the test for drift, with its grounds.
type Verdict struct {
	State State
	// Over is the time that the verdict is about: 24 h, or 168 h.
	Over time.Duration
	// Asked and Covered are as in [Figures], of whole spans.
	Asked, Covered float64
	// P is the probability of at least as many misses if the level held. Independent is how many
	// independent promises it rests on.
	P, Independent float64
}

// Verdict tests, on the whole spans of the last day and of the last week before now, whether more
// promises were missed than 1.25 times what the level allows. missed says whether the last verdict
// was Missed: that begins at p below 0.0005 in one of the two tests, and ends at p above 0.05 in
// both.
//
// The test is a binomial one on the number of independent promises. Windows overlap, so S + 1 of
// them count as one. Misses come in clusters, which the spread between spans shows: when that is
// wider than a binomial one, by Pearson's dispersion, so many promises count as one. Spans are
// tested when they are over, four times a day. With both tests that is at most one false alarm in
// 250 days. It is fewer in fact, since one test shares most of its week with the next.
func (t *Tracker) Verdict(now time.Time, missed bool) Verdict {
	last := spanNumber(now) - 1
	day := t.test(last-perDay+1, last, perDay*span)
	week := t.test(last-perWeek+1, last, perWeek*span)
	worse := week
	if day.State != Unknown && day.P < week.P {
		worse = day
	}
	if worse.State == Unknown {
		return worse
	}
	limit := missedBelow
	if missed {
		limit = holdsAbove
	}
	worse.State = Holds
	if worse.P < limit {
		worse.State = Missed
	}
	return worse
}

// test tests the spans with the numbers from … to.
func (t *Tracker) test(from, to int64, over time.Duration) Verdict {
	v := Verdict{State: Unknown, Over: over, Asked: t.opts.Asked(), Covered: math.NaN(), P: 1}
	var n, missed float64
	spans := 0
	tallies := t.between(from, to)
	for _, b := range tallies {
		n += b.promises
		missed += b.missed
		if b.promises > 0 {
			spans++
		}
	}
	if spans < minSpans {
		return v
	}
	share := missed / n
	cluster := math.Max(float64(t.lead+1), dispersion(tallies, share, spans)) // promises that count as one
	if t.opts.Contract.ShortageCost > 0 {
		cluster = math.Max(1, dispersion(tallies, share, spans)) // steps do not overlap
	}
	v.State, v.Covered, v.Independent = Holds, 1-share, n/cluster
	v.P = binomialTail(v.Independent, missed/cluster, math.Min(tolerance*(1-v.Asked), 0.999))
	return v
}

// dispersion returns Pearson's dispersion: how many times wider the spread of misses between spans
// is than a binomial one.
func dispersion(tallies []tally, share float64, spans int) float64 {
	if share <= 0 || share >= 1 || spans < 2 {
		return 1
	}
	x := 0.0
	for _, b := range tallies {
		if b.promises > 0 {
			d := b.missed - b.promises*share
			x += d * d / (b.promises * share * (1 - share))
		}
	}
	return x / float64(spans-1)
}

// binomialTail returns the probability of k or more successes in n trials at a probability of p
// each. Between whole numbers it interpolates, by the incomplete beta function.
func binomialTail(n, k, p float64) float64 {
	switch {
	case !(k > 0):
		return 1
	case k >= n:
		return math.Pow(p, n)
	}
	return mathext.RegIncBeta(k, n-k+1, p)
}
