package accuracy

import (
	"math"
	"time"
)

// Figures say how good promises and estimates turned out to be.
type Figures struct {
	// Promises is the number of promises that were scored.
	Promises int
	// Asked is the share of promises that must be covered, and Covered the share that was. Covered
	// is NaN without promises.
	Asked, Covered float64
	// Skill is 1 − loss ÷ the better benchmark's loss; NaN when no estimate was scored.
	Skill float64
	// Bias is (expected − actual) ÷ actual demand at the end of the lead; NaN when no estimate was
	// scored.
	Bias float64
}

// Day returns the figures of the last day: of the period that now lies in, and of the four before
// it.
func (t *Tracker) Day(now time.Time) Figures {
	return t.figures(periodNumber(now)-periodsPerDay, periodNumber(now))
}

// Week returns the figures of the last week: of the period that now lies in, and of the 28 before
// it.
func (t *Tracker) Week(now time.Time) Figures {
	return t.figures(periodNumber(now)-periodsPerWeek, periodNumber(now))
}

// figures sums up the periods with the numbers from … to.
func (t *Tracker) figures(from, to int64) Figures {
	var sum period
	for _, b := range t.between(from, to) {
		sum.promises += b.promises
		sum.missed += b.missed
		sum.loss += b.loss
		sum.excess += b.excess
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
		f.Bias = sum.excess / sum.actual
	}
	return f
}

// between returns the periods with the numbers from … to that are kept.
func (t *Tracker) between(from, to int64) []period {
	lo, hi := max(0, from-t.first), min(int64(len(t.periods)), to-t.first+1)
	if lo >= hi {
		return nil
	}
	return t.periods[lo:hi]
}
