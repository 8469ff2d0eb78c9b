package scheduler

import (
	"math"
	"time"
)

// OneOff reports, for each of n steps, whether some part of it lies in a declared one-off window or in its ramps.
func OneOff(schedules []*Schedule, start time.Time, step time.Duration, n int) []bool {
	inside := make([]bool, n)
	sweep(schedules, start, step, n, func(i int, _, _ int64, _ bool, cursors []cursor, _, _ int64) {
		for _, c := range cursors {
			if c.window.cron == nil && !c.piece.idle() {
				inside[i] = true
			}
		}
	})
	return inside
}

// Baseline returns the past as it would have been without the declared peaks, which is what a forecaster may learn from.
// values[i] is the observed demand over [start+i·step, start+(i+1)·step); NaN is a gap. The result is a new slice of the same
// length.
//
//   - A step in a one-off window becomes a gap: what happens once does not recur next week.
//   - A step in a recurring multiply or add window has its addition taken off and is divided by its factor, so that the forecast
//     is that of a day without the peak and applying the peak to it gives the peak once, not twice.
//   - atLeast, replicas and atMost are limits, not statements about how demand arose, and change nothing: where the forecast
//     already knows the peak, the larger of the two counts.
//
// It depends on the schedules and the values alone, so a replay sees what serving saw.
func Baseline(schedules []*Schedule, start time.Time, step time.Duration, values []float64) []float64 {
	baseline := make([]float64, len(values))
	copy(baseline, values)
	factors := make([]float64, len(values))
	additions := make([]float64, len(values))
	sweep(schedules, start, step, len(values), func(i int, stepFrom, stepTo int64, _ bool, cursors []cursor, from, to int64) {
		demand := Neutral()
		for _, c := range cursors {
			if c.piece.idle() {
				continue
			}
			if c.window.cron == nil {
				baseline[i] = math.NaN()
			}
			demand = demand.And(c.window.value(c.piece, from+(to-from)/2, false))
		}
		share := float64(to-from) / float64(stepTo-stepFrom)
		factors[i] += demand.Multiply * share
		additions[i] += demand.Add * share
	})
	for i, value := range baseline {
		if factors[i] != 1 || additions[i] != 0 {
			baseline[i] = max((value-additions[i])/factors[i], 0)
		}
	}
	return baseline
}
