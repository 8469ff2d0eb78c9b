package forecaster

import (
	"math"
	"time"
)

const (
	week        = 7 * 24 * time.Hour
	minInterval = 6 * time.Hour // least data time between two regular fits
	minSteps    = 100           // and least steps, unless these take more than a week

	// A young series is fitted for the first time at firstFit steps, and again whenever it has
	// grown by the factor growth. It is young for youngIntervals fit intervals.
	firstFit, growth, youngIntervals = 12, 1.15, 4
)

// FitInterval returns the time between two regular fits of a series with this step. It is at least
// six hours and 100 steps, and at most a week. Within that it is the shortest such that a week is a
// whole number of intervals and an interval a whole number of seconds. So a series that is moved by
// weeks is fitted at the same of its steps.
func FitInterval(step time.Duration) time.Duration {
	for k := week / max(minInterval, minSteps*step); k > 1; k-- {
		if week%(k*time.Second) == 0 {
			return week / k
		}
	}
	return week
}

// fitInstant returns the last regular fit instant at or before t: a multiple of the FitInterval
// since the Unix epoch, plus the offset. Fit instants come from data time alone, so a replay fits
// when serving did.
func fitInstant(t time.Time, step, offset time.Duration) time.Time {
	s := int64(FitInterval(step) / time.Second) // in seconds: nanoseconds overflow within three centuries
	since := (t.Unix() - int64(offset/time.Second)) % s
	return t.Add(-time.Duration((since+s)%s)*time.Second - time.Duration(t.Nanosecond()))
}

// lastFit returns how many of the first n steps of a series, which begins at start, the last fit at
// or before their end may use. The fit is a regular one, or one of a young series: otherwise a
// fresh series, or a demonstration that compresses a day into minutes, would wait hours for its
// first.
func lastFit(start time.Time, step, offset time.Duration, n int) int {
	end := start.Add(time.Duration(n) * step)
	regular := int(fitInstant(end, step, offset).Sub(start) / step)
	regular = max(0, min(regular, n))
	young := 0
	limit := int(youngIntervals * FitInterval(step) / step)
	for size := float64(firstFit); int(size) <= min(n, limit); size = math.Ceil(size * growth) {
		young = int(size)
	}
	return max(regular, young)
}

// NextFit returns the number of steps, above n, at which a Forecaster fits next that was started on
// a series from start on and knows n steps of it. offset is its [Options.FitOffset].
//
// Between two fits, a Forecaster that was started on what was known at the first of them is the
// same as one that has run for longer: a replay may be cut there.
func NextFit(start time.Time, step, offset time.Duration, n int) int {
	every := FitInterval(step)
	end := start.Add(time.Duration(n) * step)
	at := fitInstant(end, step, offset).Add(every)
	regular := int((at.Sub(start) + step - 1) / step)
	for regular <= n {
		regular++
	}
	limit := int(youngIntervals * every / step)
	for size := float64(firstFit); int(size) <= limit; size = math.Ceil(size * growth) {
		if int(size) > n {
			return min(regular, int(size))
		}
	}
	return regular
}

// rareFits is how many fit intervals lie between two fits under Thrift.RarerFits.
const rareFits = 4

// Thrift is what a Forecaster goes without where memory or time is short. What it forecasts then is
// calibrated as ever, and a little worse.
type Thrift struct {
	// FewerModels leaves out the models that take the most memory and time to fit.
	FewerModels bool
	// RarerFits fits a series that is not young every fourth fit interval only.
	RarerFits bool
}

// SetThrift changes what the next fits go without.
func (f *Forecaster) SetThrift(t Thrift) {
	f.opts.lean, f.rarer = t.FewerModels, t.RarerFits
}

// postpones reports whether the fit at step n of the series is left out.
func (f *Forecaster) postpones(n int) bool {
	interval := int(FitInterval(f.opts.Step) / f.opts.Step)
	return f.rarer && n > youngIntervals*interval && n-f.state.fittedAt < rareFits*interval
}
