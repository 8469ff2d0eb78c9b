package forecaster

import (
	"math"
	"time"
)

const (
	fitEvery      = 6 * time.Hour // data time between fits
	fitEverySteps = 100           // and the least number of steps between them, where that is not more than a week
	week          = 7 * 24 * time.Hour
	growth        = 1.15 // a young series is fitted again whenever it has grown by this factor
	firstFit      = 60   // steps after which a young series is fitted for the first time
)

// fitInstant returns the last regular fit instant at or before t: a multiple of the FitInterval since the Unix epoch. Fit instants come from
// data time alone, so a replay fits when serving did.
func fitInstant(t time.Time, step time.Duration) time.Time {
	s := int64(FitInterval(step) / time.Second) // in seconds, since nanoseconds overflow within three centuries
	return t.Add(-time.Duration(((t.Unix()%s)+s)%s)*time.Second - time.Duration(t.Nanosecond()))
}

// FitInterval is the time between two regular fits of a series of this step: at least six hours and 100 steps, and the shortest such that a
// week is a whole number of intervals and an interval one of seconds, so that a series that is moved by a week is fitted at the same of
// its steps. No interval is longer than a week.
func FitInterval(step time.Duration) time.Duration {
	for k := week / max(fitEvery, fitEverySteps*step); k > 1; k-- {
		if week%(k*time.Second) == 0 {
			return week / k
		}
	}
	return week
}

// lastFit returns the number of steps of a series that begins at start and has n steps which the last fit at or before its
// end may use. Beside the regular instants, a series younger than four fit intervals is fitted again whenever it has grown by
// a sixth: otherwise a fresh series, or a demonstration that compresses a day into minutes, would wait hours for its first.
func lastFit(start time.Time, step time.Duration, n int) int {
	end := start.Add(time.Duration(n) * step)
	regular := int(fitInstant(end, step).Sub(start) / step)
	regular = max(0, min(regular, n))
	young := 0
	limit := int(4 * FitInterval(step) / step)
	for size := float64(firstFit); int(size) <= min(n, limit); size = math.Ceil(size * growth) {
		young = int(size)
	}
	return max(regular, young)
}

// NextFit returns the number of steps, above n, at which a Forecaster fits next that was started on a series from start on and knows n
// steps of it. Between two fits a Forecaster that starts on what was known at the first of them is the same as one that came from
// further back: a replay may be cut there.
func NextFit(start time.Time, step time.Duration, n int) int { return nextFit(start, step, n) }

// nextFit returns the smallest number of steps above n at which lastFit changes, that is, at which a fit is due.
func nextFit(start time.Time, step time.Duration, n int) int {
	every := FitInterval(step)
	end := start.Add(time.Duration(n) * step)
	at := fitInstant(end, step).Add(every)
	regular := int((at.Sub(start) + step - 1) / step)
	for regular <= n {
		regular++
	}
	limit := int(4 * every / step)
	for size := float64(firstFit); int(size) <= limit; size = math.Ceil(size * growth) {
		if int(size) > n {
			return min(regular, int(size))
		}
	}
	return regular
}
