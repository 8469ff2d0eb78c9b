package scheduler

import (
	"math"
	"time"
)

// OneOff reports, for each of n steps, whether some part of it lies in a declared one-off window or in its ramps.
func OneOff(schedules []*Schedule, start time.Time, step time.Duration, n int) []bool {
	inside := make([]bool, n)
	mark := func(p *part) {
		for _, c := range p.cursors {
			if c.window.cron == nil && c.window.touches(p.from, p.to) {
				inside[p.i] = true
			}
		}
	}
	sweep(schedules, start, step, n, visitor{part: mark, rest: mark})
	return inside
}

// looks is at how many instants the rest of a step is evaluated that has very many changes.
const looks = 2

// look is what a window says at an instant of the part that its cursor is at, without steps in its ramps.
func (c *cursor) look(at int64) Demand {
	piece := c.piece
	if at >= piece.until {
		piece = c.window.state(c.schedule.zone, c.schedule.zone.moment(floorSecond(at)), at)
	}
	if piece.idle() {
		return Neutral()
	}
	return c.window.value(piece, at, false)
}

// touches reports whether a one-off or its ramps count somewhere in [from, to).
func (w *window) touches(from, to int64) bool {
	start := w.once * int64(time.Second)
	return w.allowed && start-int64(w.rampUp) < to && start+int64(w.duration)+int64(w.rampDown) > from
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
	add := func(p *part, demand Demand, time int64) {
		share := float64(time) / float64(p.stepTo-p.stepFrom)
		factors[p.i] += demand.Multiply * share
		additions[p.i] += demand.Add * share
	}
	sweep(schedules, start, step, len(values), visitor{
		part: func(p *part) {
			demand := Neutral()
			for _, c := range p.cursors {
				if c.piece.idle() {
					continue
				}
				if c.window.cron == nil {
					baseline[p.i] = math.NaN()
				}
				demand = demand.And(c.window.value(c.piece, p.from+(p.to-p.from)/2, false))
			}
			add(p, demand, p.to-p.from)
		},
		rest: func(p *part) {
			// A few looks stand for a time with more changes than are worth following.
			length := (p.to - p.from) / looks
			for look := range int64(looks) {
				at := p.from + look*length + length/2
				demand := Neutral()
				for _, c := range p.cursors {
					if c.window.cron == nil && c.window.touches(p.from, p.to) {
						baseline[p.i] = math.NaN()
					}
					demand = demand.And(c.look(at))
				}
				add(p, demand, length)
			}
			add(p, Neutral(), p.to-p.from-looks*length)
		},
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
