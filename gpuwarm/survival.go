package gpuwarm

import (
	"cmp"
	"math"
	"slices"
)

// sample is one start as the estimate sees it.
type sample struct {
	secs   float64 // to Ready, or lasted so far
	event  bool    // Ready; else the start took, or will take, longer than secs
	live   bool    // still going on
	failed bool    // cannot become Ready as things are
	path   Path
	image  string // short hash; empty where not known
	weight float64
}

// What is assumed about the spread of warm-ups while there are too few to see it: a log-normal spread of 0.35 (the slowest tenth takes
// 1.6 times the median), which counts like four starts.
const (
	priorSpread       = 0.35
	priorSpreadStarts = 4
)

// quantile is the q-quantile of the time to Ready by Kaplan and Meier, in seconds. It aims at covering the *next* start with
// probability q: n starts count as n+1, the last of which is later than all (without censoring that is the (n+1)q-th smallest, whose
// coverage is q on average for any distribution). Where the starts end before the quantile is reached, the rest is extrapolated with
// their own log-normal spread. It is 0 without an event.
func quantile(samples []sample, q float64) float64 {
	s := append([]sample(nil), samples...)
	slices.SortFunc(s, func(a, b sample) int {
		switch {
		case a.secs != b.secs:
			return cmp.Compare(a.secs, b.secs)
		case a.event == b.event:
			return 0
		case a.event:
			return -1 // what ended in the same second was still there
		}
		return 1
	})
	risk := 1.0
	for i := range s {
		risk += s[i].weight
	}
	survival, last := 1.0, 0.0
	for i := range s {
		if s[i].event && s[i].weight > 0 {
			next := survival * (1 - s[i].weight/risk)
			if next <= 1-q {
				if last == 0 {
					return s[i].secs
				}
				f := (survival - (1 - q)) / (survival - next)
				return math.Exp((1-f)*math.Log(last) + f*math.Log(s[i].secs))
			}
			survival, last = next, s[i].secs
		}
		risk -= s[i].weight
	}
	if last == 0 {
		return 0
	}
	return last * math.Exp(spread(samples)*(normalQuantile(q)-normalQuantile(1-survival)))
}

// spread is the standard deviation of the logarithm of the times to Ready, shrunk towards priorSpread.
func spread(samples []sample) float64 {
	var n, sum, squares float64
	for _, s := range samples {
		if s.event {
			l := math.Log(s.secs)
			n, sum, squares = n+s.weight, sum+s.weight*l, squares+s.weight*l*l
		}
	}
	if n == 0 {
		return priorSpread
	}
	within := max(0, squares-sum*sum/n)
	return math.Sqrt((priorSpreadStarts*priorSpread*priorSpread + within) / (priorSpreadStarts + n))
}

func normalQuantile(p float64) float64 {
	return math.Sqrt2 * math.Erfinv(2*min(max(p, 1e-6), 1-1e-6)-1)
}
