package accuracy

import (
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"
)

// Figures say how good promises and estimates turned out to be.
type Figures struct {
	// Promises is how many were scored: windows, or steps under a shortage cost.
	Promises int
	// Asked and Covered are the share of them that should be, and that was covered. Covered is NaN without promises.
	Asked, Covered float64
	// Skill is 1 − loss ÷ that of the better benchmark; NaN where none was scored.
	Skill float64
	// Bias is expected less actual demand at the end of the lead, as a share of the actual; NaN where nothing was scored.
	Bias float64
}

// Day is about the last day: the span that is filling up at now, and the four before it.
func (t *Tracker) Day(now time.Time) Figures { return t.figures(number(now)-perDay, number(now)) }

// Week is about the last week: the span that is filling up at now, and the 28 before it.
func (t *Tracker) Week(now time.Time) Figures { return t.figures(number(now)-perWeek, number(now)) }

// figures sums the tallies up whose numbers are from … to.
func (t *Tracker) figures(from, to int64) Figures {
	var sum tally
	for _, b := range t.between(from, to) {
		sum.promises += b.promises
		sum.missed += b.missed
		sum.loss += b.loss
		sum.over += b.over
		sum.actual += b.actual
		for k := range b.benchmarks {
			sum.benchmarks[k] += b.benchmarks[k]
		}
	}
	f := Figures{Promises: int(sum.promises), Asked: t.opts.Asked(), Covered: math.NaN(), Skill: math.NaN(), Bias: math.NaN()}
	if sum.promises > 0 {
		f.Covered = 1 - sum.missed/sum.promises
	}
	if best := math.Min(sum.benchmarks[0], sum.benchmarks[1]); best > 0 {
		f.Skill = 1 - sum.loss/best
	}
	if sum.actual > 0 {
		f.Bias = sum.over / sum.actual
	}
	return f
}

func (t *Tracker) between(from, to int64) []tally {
	lo, hi := max(0, from-t.first), min(int64(len(t.tallies)), to-t.first+1)
	if lo >= hi {
		return nil
	}
	return t.tallies[lo:hi]
}

const (
	// tolerated is how many times the misses that are asked for pass without a word.
	tolerated = 1.25
	// alarm and calm are the p-values below which a miss is no chance, and above which it may be one again.
	alarm, calm = 0.0005, 0.05
	// leastSpans is how many spans with promises a verdict takes: about a day of them.
	leastSpans = perDay
)

// State is whether the level that was asked for is missed.
type State string

// The states of a [Verdict].
const (
	// Unknown says that there are too few promises to tell.
	Unknown State = "Unknown"
	// Holds says that chance explains what was missed.
	Holds State = "Holds"
	// Missed says that it does not.
	Missed State = "Missed"
)

// Verdict says whether the level that was asked for is missed, and on what grounds.
type Verdict struct {
	State State
	// Over is what the verdict is about: 24 h, or 168 h.
	Over time.Duration
	// Asked and Covered are as in [Figures], of whole spans.
	Asked, Covered float64
	// P is the chance of missing as many promises or more, if the level held, and Independent how many independent promises that rests on.
	P, Independent float64
}

// Verdict tests, on the whole spans of the last day and of the last week before now, whether more promises were missed than the level
// allows for, times 1.25. was says whether the last verdict was Missed: it takes p below 0.0005 to begin, and above 0.05 in both to end.
//
// The test is a binomial one on as many promises as are independent. Windows overlap, so S + 1 of them count for one at most; and where
// misses come in clusters, as the spread between spans of six hours shows, as many more count for one as that spread is wider than a
// binomial one (Pearson's dispersion). Spans are looked at when they are over, four times a day: with both tests that is at most one
// false alarm in 250 days, and fewer, since one look shares most of its week with the next.
func (t *Tracker) Verdict(now time.Time, was bool) Verdict {
	last := number(now) - 1
	day := t.test(last-perDay+1, last, perDay*Span)
	week := t.test(last-perWeek+1, last, perWeek*Span)
	worse := week
	if day.State != Unknown && day.P < week.P {
		worse = day
	}
	if worse.State == Unknown {
		return worse
	}
	limit := alarm
	if was {
		limit = calm
	}
	worse.State = Holds
	if worse.P < limit {
		worse.State = Missed
	}
	return worse
}

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
	if spans < leastSpans {
		return v
	}
	share := missed / n
	together := math.Max(float64(t.lead+1), dispersion(tallies, share, spans))
	if t.opts.Contract.ShortageCost > 0 {
		together = math.Max(1, dispersion(tallies, share, spans)) // steps do not overlap
	}
	v.State, v.Covered, v.Independent = Holds, 1-share, n/together
	v.P = tail(v.Independent, missed/together, math.Min(tolerated*(1-v.Asked), 0.999))
	return v
}

// dispersion is Pearson's: how many times wider the spread of misses between spans is than a binomial one.
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

// tail is the chance of k or more in n at a probability of p, for whole numbers and between them.
func tail(n, k, p float64) float64 {
	switch {
	case !(k > 0):
		return 1
	case k >= n:
		return math.Pow(p, n)
	}
	return mathext.RegIncBeta(k, n-k+1, p)
}
