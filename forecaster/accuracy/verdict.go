package accuracy

import (
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"
)

const (
	// tolerance is how many times the allowed misses are tolerated.
	tolerance = 1.25
	// missedBelow is the p-value below which the level counts as missed. After that it counts as
	// missed until the p-value is above holdsAbove.
	missedBelow, holdsAbove = 0.0005, 0.05
	// minPeriods is how many periods with promises a verdict needs: about a day.
	minPeriods = periodsPerDay
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

// Verdict is the result of the test for drift, with the figures behind it.
type Verdict struct {
	State State
	// Over is the time that the verdict is about: 24 h, or 168 h.
	Over time.Duration
	// Asked and Covered are as in [Figures], but for complete periods only.
	Asked, Covered float64
	// P is the p-value: the probability of at least as many misses if the level held. Independent is
	// the number of independent promises in the test.
	P, Independent float64
}

// Verdict tests whether more promises were missed than 1.25 times what the level allows. There are
// two tests: on the complete periods of the day before now, and on those of the week before now.
//
// missed says whether the last verdict was Missed. The level becomes Missed when p is below 0.0005
// in one of the tests. It stays Missed until p is above 0.05 in both.
//
// The test is a binomial test on the number of independent promises:
//   - Lead windows overlap, so Lead + 1 of them count as one.
//   - Misses come in clusters, so they differ more between periods than binomial ones would.
//     Pearson's dispersion measures how much more. So many promises count as one.
//
// The larger of the two numbers counts. The result changes only when a period is over, four times a
// day. With both tests that is at most one false alarm in 250 days. In fact there are fewer, since
// two successive tests share most of their data.
func (t *Tracker) Verdict(now time.Time, missed bool) Verdict {
	last := periodNumber(now) - 1
	day := t.test(last-periodsPerDay+1, last, periodsPerDay*periodLength)
	week := t.test(last-periodsPerWeek+1, last, periodsPerWeek*periodLength)
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

// test tests the periods with the numbers from … to.
func (t *Tracker) test(from, to int64, over time.Duration) Verdict {
	v := Verdict{State: Unknown, Over: over, Asked: t.opts.Asked(), Covered: math.NaN(), P: 1}
	var n, missed float64
	nonEmpty := 0
	periods := t.between(from, to)
	for _, b := range periods {
		n += b.promises
		missed += b.missed
		if b.promises > 0 {
			nonEmpty++
		}
	}
	if nonEmpty < minPeriods {
		return v
	}
	share := missed / n
	cluster := math.Max(float64(t.lead+1), dispersion(periods, share, nonEmpty)) // promises that count as one
	if t.opts.Contract.ShortageCost > 0 {
		cluster = math.Max(1, dispersion(periods, share, nonEmpty)) // steps do not overlap
	}
	v.State, v.Covered, v.Independent = Holds, 1-share, n/cluster
	v.P = binomialTail(v.Independent, missed/cluster, math.Min(tolerance*(1-v.Asked), 0.999))
	return v
}

// dispersion returns Pearson's dispersion: how many times larger the variance of misses between
// periods is than a binomial variance. nonEmpty is the number of periods with promises.
func dispersion(periods []period, share float64, nonEmpty int) float64 {
	if share <= 0 || share >= 1 || nonEmpty < 2 {
		return 1
	}
	x := 0.0
	for _, b := range periods {
		if b.promises > 0 {
			d := b.missed - b.promises*share
			x += d * d / (b.promises * share * (1 - share))
		}
	}
	return x / float64(nonEmpty-1)
}

// binomialTail returns the probability of k or more successes in n trials, each with probability p.
// n and k need not be whole numbers: the incomplete beta function interpolates.
func binomialTail(n, k, p float64) float64 {
	switch {
	case !(k > 0):
		return 1
	case k >= n:
		return math.Pow(p, n)
	}
	return mathext.RegIncBeta(k, n-k+1, p)
}
