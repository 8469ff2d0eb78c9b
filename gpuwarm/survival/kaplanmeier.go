package survival

import (
	"cmp"
	"math"
	"slices"
)

// Sample is one start.
type Sample struct {
	// Seconds until the start finished, or that it has lasted.
	Seconds float64
	// Finished is true when the start finished. Otherwise it is censored: it took, or will take,
	// longer than Seconds.
	Finished bool
	// Ongoing is true while an unfinished start still goes on.
	Ongoing bool
	// Failed is true when the start cannot finish, as things are.
	Failed bool
	// Stratum is the kind of start, such as its path. Changes of level are looked for within
	// strata.
	Stratum string
	// Image identifies the image, or is empty. A change of level is more likely where it changes.
	Image string
	// Weight is how much the sample counts; 1 is one full start.
	Weight float64
}

// What is assumed about the spread of the times while there are few samples: a log-normal spread of
// 0.35, at which the slowest tenth takes 1.6 times the median. It counts as much as four starts.
const (
	priorSpread       = 0.35
	priorSpreadStarts = 4
)

// quantile is the Kaplan-Meier estimate of the q-quantile of the times, in seconds; 0 without a
// finished sample.
//
// It aims at covering the next start with probability q. For that, n starts count as n+1, and the
// last one is later than all. Without censoring this is the (n+1)q-th smallest time, whose coverage
// is q on average for any distribution. When the finished starts end before the quantile is
// reached, the rest is extrapolated with their log-normal spread.
func quantile(samples []Sample, q float64) float64 {
	s := slices.Clone(samples)
	slices.SortFunc(s, func(a, b Sample) int {
		switch {
		case a.Seconds != b.Seconds:
			return cmp.Compare(a.Seconds, b.Seconds)
		case a.Finished == b.Finished:
			return 0
		case a.Finished:
			return -1 // a start that was censored in the same second was still at risk
		}
		return 1
	})
	atRisk := 1.0
	for i := range s {
		atRisk += s[i].Weight
	}
	survival, last := 1.0, 0.0
	for i := range s {
		if s[i].Finished && s[i].Weight > 0 {
			next := survival * (1 - s[i].Weight/atRisk)
			if next <= 1-q {
				if last == 0 {
					return s[i].Seconds
				}
				f := (survival - (1 - q)) / (survival - next)
				return math.Exp((1-f)*math.Log(last) + f*math.Log(s[i].Seconds))
			}
			survival, last = next, s[i].Seconds
		}
		atRisk -= s[i].Weight
	}
	if last == 0 {
		return 0
	}
	return last * math.Exp(logSpread(samples)*(NormalQuantile(q)-NormalQuantile(1-survival)))
}

// logSpread is the standard deviation of the logarithms of the finished times, shrunk towards
// priorSpread.
func logSpread(samples []Sample) float64 {
	var n, sum, squares float64
	for _, s := range samples {
		if s.Finished {
			l := math.Log(s.Seconds)
			n, sum, squares = n+s.Weight, sum+s.Weight*l, squares+s.Weight*l*l
		}
	}
	if n == 0 {
		return priorSpread
	}
	within := max(0, squares-sum*sum/n)
	return math.Sqrt((priorSpreadStarts*priorSpread*priorSpread + within) / (priorSpreadStarts + n))
}

// NormalQuantile is the p-quantile of the standard normal distribution. p is held to within 1e-6 of
// 0 and 1.
func NormalQuantile(p float64) float64 {
	return math.Sqrt2 * math.Erfinv(2*min(max(p, 1e-6), 1-1e-6)-1)
}

// Median of x; NaN when x is empty.
func Median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Clone(x)
	slices.Sort(s)
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
