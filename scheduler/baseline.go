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

// leastFactor is the smallest factor that observed demand is divided by.
const leastFactor = 0.1

// Baseline returns the past as it would have been without the declared peaks, which is what a forecaster may learn from.
// values[i] is the observed demand over [start+i·step, start+(i+1)·step); NaN is a gap. The result is a new slice of the same
// length.
//
//   - A step in a one-off window becomes a gap: what happens once does not recur next week.
//   - A step in a recurring multiply or add window has its addition taken off and is divided by its factor, so that the forecast
//     is that of a day without the peak and applying the peak to it gives the peak once, not twice.
//   - Where the factor is below a tenth the step becomes a gap: the little that is left says nothing about what would have been.
//   - atLeast, replicas and atMost are limits, not statements about how demand arose, and change nothing: where the forecast
//     already knows the peak, the larger of the two counts.
//
// It depends on the schedules and the values alone, so a replay sees what serving saw. What is finite stays so.
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
		switch {
		case factors[i] < leastFactor:
			baseline[i] = math.NaN()
		case factors[i] != 1 || additions[i] != 0:
			baseline[i] = max((value-additions[i])/factors[i], 0)
		}
	}
	return baseline
}

// Undisturbed is the demand just before the multiply and add windows began that change it at the instant at, ramps included: what
// a factor builds on while no forecast says what would be without it. values[i] is the observed demand over [start+i·step,
// start+(i+1)·step), of which those that ended by at are looked at. It is NaN where no such window is on, or no value is known.
// Where the series does not go back far enough, the newest value counts, less its peaks.
func Undisturbed(schedules []*Schedule, start time.Time, step time.Duration, values []float64, at time.Time) float64 {
	since := liftedSince(schedules, at)
	if step <= 0 || !since.Before(at) {
		return math.NaN()
	}
	if i := lastKnown(values, int(since.Sub(start)/step)); i >= 0 {
		return values[i]
	}
	i := lastKnown(values, int(at.Sub(start)/step))
	if i < 0 {
		return math.NaN()
	}
	demand := Neutral()
	for _, s := range schedules {
		demand = demand.And(s.At(start.Add(time.Duration(i)*step + step/2)))
	}
	if demand.Multiply < leastFactor {
		return math.NaN()
	}
	return max((values[i]-demand.Add)/demand.Multiply, 0)
}

// lastKnown returns the last index below end that has a value, or -1.
func lastKnown(values []float64, end int) int {
	for i := min(end, len(values)) - 1; i >= 0; i-- {
		if !math.IsNaN(values[i]) {
			return i
		}
	}
	return -1
}

// mostTouching bounds how many occurrences that touch each other are followed into the past.
const mostTouching = 1000

// liftedSince returns since when, without a break up to at, some multiply or add window has changed demand; at where none does.
func liftedSince(schedules []*Schedule, at time.Time) time.Time {
	since := at.UnixNano()
	for range mostTouching {
		before := since
		for _, s := range schedules {
			if !s.suspended && inRange(time.Unix(0, since-1)) {
				since = min(since, s.liftedSince(since))
			}
		}
		if since == before {
			break
		}
	}
	return time.Unix(0, since)
}

// liftedSince returns when the occurrences began that change demand just before an instant.
func (s *Schedule) liftedSince(instant int64) int64 {
	now := instant - 1
	m := s.zone.moment(floorSecond(now))
	since := instant
	for i := range s.windows {
		w := &s.windows[i]
		if w.demand.Multiply == 1 && w.demand.Add == 0 {
			continue
		}
		p := w.state(s.zone, m, now)
		if p.full || p.falling {
			since = min(since, p.end-int64(w.duration)-int64(w.rampUp))
		}
		if p.rising {
			since = min(since, p.start-int64(w.rampUp))
		}
	}
	return since
}
