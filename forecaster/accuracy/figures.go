package accuracy

import (
	"math"
	"time"
)

// Figures say how good promises and estimates turned out to be.
type Figures struct {
	// Promises is how many were scored: windows, or steps under a shortage cost.
	Promises int
	// Asked is the share of them that must be covered, and Covered the share that was. Covered is
	// NaN without promises.
	Asked, Covered float64
	// Skill is 1 − loss ÷ the better benchmark's loss; NaN when no estimate was scored.
	Skill float64
	// Bias is expected less actual demand at the end of the lead, as a share of the actual demand;
	// NaN when no estimate was scored.
	Bias float64
}

// Day returns the figures of the last day: the span that is filling up at now, and the four before
// it.
func (t *Tracker) Day(now time.Time) Figures {
	return t.figures(spanNumber(now)-perDay, spanNumber(now))
}

// Week returns the figures of the last week: the span that is filling up at now, and the 28 before
// it.
func (t *Tracker) Week(now time.Time) Figures {
	return t.figures(spanNumber(now)-perWeek, spanNumber(now))
}

// figures sums up the tallies with the numbers from … to.
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
	f := Figures{
		Promises: int(sum.promises), Asked: t.opts.Asked(), Covered: math.NaN(), Skill: math.NaN(), Bias: math.NaN(),
	}
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

// between returns the tallies with the numbers from … to that are kept.
func (t *Tracker) between(from, to int64) []tally {
	lo, hi := max(0, from-t.first), min(int64(len(t.tallies)), to-t.first+1)
	if lo >= hi {
		return nil
	}
	return t.tallies[lo:hi]
}
