package scheduler

import (
	"math"
	"slices"
	"time"
)

// minFactor is the smallest factor that observed demand is divided by.
const minFactor = 0.1

// Baseline returns the past as it would have been without the declared peaks. A forecaster may
// learn from that. values[i] is the observed demand over [start+i·step, start+(i+1)·step); NaN is a
// gap. The result is a new slice of the same length.
//
//   - A step in a window that occurs once becomes a gap, because it does not recur next week.
//   - In a recurring window, the addition is subtracted and the rest is divided by the factor. So
//     the forecast is that of a day without the peak, and applying the peak to it gives the peak
//     once, not twice.
//   - Where the factor is below a tenth, the step becomes a gap: so little demand says nothing
//     about what it would have been.
//   - atLeast, replicas and atMost change nothing. They are limits, and say nothing about how
//     demand arose. Where the forecast knows the peak already, the larger of the two counts.
//
// The result depends on the schedules and the values alone, so a replay sees what serving saw. A
// finite value stays finite or becomes a gap.
func Baseline(schedules []*Schedule, start time.Time, step time.Duration, values []float64) []float64 {
	b := baseline{
		values:    make([]float64, len(values)),
		factors:   make([]float64, len(values)),
		additions: make([]float64, len(values)),
	}
	copy(b.values, values)
	cursors := slices.DeleteFunc(cursorsOf(schedules), func(c cursor) bool { return !c.window.disturbs() })
	sweep(cursors, start, step, len(values), visitor{part: b.part, remainder: b.remainder})
	for i, value := range b.values {
		switch {
		case b.factors[i] < minFactor:
			b.values[i] = math.NaN()
		case b.factors[i] != 1 || b.additions[i] != 0:
			b.values[i] = max((value-b.additions[i])/b.factors[i], 0)
		}
	}
	return b.values
}

// baseline collects the means of factors and additions over each step, and makes the gaps of
// windows that occur once.
type baseline struct {
	values, factors, additions []float64
}

// disturbs reports whether the window changes what is learned from the past. A limit that recurs
// does not.
func (w *window) disturbs() bool { return w.cron == nil || w.demand.Multiply != 1 || w.demand.Add != 0 }

// add counts what windows say during a part of the step, in nanoseconds.
func (b *baseline) add(p *part, factor, addition float64, time int64) {
	share := float64(time) / float64(p.stepTo-p.stepFrom)
	b.factors[p.i] += factor * share
	b.additions[p.i] += addition * share
}

// part evaluates the middle of the part.
func (b *baseline) part(p *part) {
	factor, addition := 1.0, 0.0
	instant := p.from + (p.to-p.from)/2
	for _, i := range p.busy {
		c := &p.cursors[i]
		if c.window.cron == nil {
			b.values[p.i] = math.NaN()
		}
		f, a := c.window.change(c.phase, instant)
		factor, addition = factor*f, addition+a
	}
	b.add(p, factor, addition, p.to-p.from)
}

// remainder evaluates a few instants, which stand for a time with too many changes.
func (b *baseline) remainder(p *part) {
	length := (p.to - p.from) / samplesOfRemainder
	for i := range int64(samplesOfRemainder) {
		instant := p.from + i*length + length/2
		factor, addition := 1.0, 0.0
		for k := range p.cursors {
			c := &p.cursors[k]
			if c.window.occursOnceIn(p.from, p.to) {
				b.values[p.i] = math.NaN()
			}
			f, a := c.at(instant)
			factor, addition = factor*f, addition+a
		}
		b.add(p, factor, addition, length)
	}
	b.add(p, 1, 0, p.to-p.from-samplesOfRemainder*length)
}

// samplesOfRemainder is the number of instants at which the remainder of a step with very many
// changes is evaluated.
const samplesOfRemainder = 2

// at returns the factor and the addition of the window at an instant of the part.
func (c *cursor) at(instant int64) (factor, addition float64) {
	phase := c.phase
	if instant >= phase.until {
		phase = c.window.phaseAt(c.schedule.zone, c.schedule.zone.moment(floorSecond(instant)), instant)
	}
	return c.window.change(phase, instant)
}

// change returns the factor and the addition of the window at an instant of the phase, without the
// step at the end of a ramp-up: those of [window.value], for a fraction of its time.
func (w *window) change(p phase, now int64) (factor, addition float64) {
	d := &w.demand
	switch {
	case p.active:
		return d.Multiply, d.Add
	case p.falling && p.rising:
		both := w.value(p, now, false)
		return both.Multiply, both.Add
	case p.falling:
		share := float64(now-p.end) / float64(w.rampDown)
		return d.Multiply + (1-d.Multiply)*share, d.Add - d.Add*share
	case p.rising:
		share := 1 - float64(p.start-now)/float64(w.rampUp)
		return 1 + (d.Multiply-1)*share, d.Add * share
	}
	return 1, 0
}

// occursOnceIn reports whether the window is one that occurs once, and counts somewhere in [from,
// to), ramps included.
func (w *window) occursOnceIn(from, to int64) bool {
	start := w.once * int64(time.Second)
	return w.cron == nil && w.allowed &&
		start-int64(w.rampUp) < to && start+int64(w.duration)+int64(w.rampDown) > from
}

// Undisturbed returns the demand that the multiply and add windows apply to while there is no
// forecast. It looks for the windows that change demand at the instant at, ramps included. It
// returns the demand just before the first of them began.
//
// values[i] is the observed demand over [start+i·step, start+(i+1)·step). Only steps that ended by
// at count. If the series does not go back far enough, the newest value counts, with the effect of
// its peaks removed. The result is NaN if no such window is active, or no value is known.
func Undisturbed(
	schedules []*Schedule, start time.Time, step time.Duration, values []float64, at time.Time,
) float64 {
	since := changedSince(schedules, at)
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
	if demand.Multiply < minFactor {
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

// maxChained is how many occurrences that follow each other without a break are followed into the
// past.
const maxChained = 1000

// changedSince returns since when multiply and add windows have changed demand without a break up
// to at. It returns at where none does.
func changedSince(schedules []*Schedule, at time.Time) time.Time {
	since := at.UnixNano()
	for range maxChained {
		before := since
		for _, s := range schedules {
			if !s.suspended && inRange(time.Unix(0, since-1)) {
				since = min(since, s.changedSince(since))
			}
		}
		if since == before {
			break
		}
	}
	return time.Unix(0, since)
}

// changedSince returns when those occurrences began, ramp-up included, that change demand just
// before an instant.
func (s *Schedule) changedSince(instant int64) int64 {
	now := instant - 1
	m := s.zone.moment(floorSecond(now))
	since := instant
	for i := range s.windows {
		w := &s.windows[i]
		if w.demand.Multiply == 1 && w.demand.Add == 0 {
			continue
		}
		p := w.phaseAt(s.zone, m, now)
		if p.active || p.falling {
			since = min(since, p.end-int64(w.duration)-int64(w.rampUp))
		}
		if p.rising {
			since = min(since, p.start-int64(w.rampUp))
		}
	}
	return since
}
