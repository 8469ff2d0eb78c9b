package scheduler

import (
	"math"
	"time"
)

// RampStep is the factor by which the last step of a ramp-up raises the value: once the line is
// above the full value divided by RampStep, the full value counts. The reason is that a
// HorizontalPodAutoscaler keeps its replicas while the metric asks for at most 1.1 times as many,
// by its default tolerance. A rise by 1.25 is above that tolerance even after rounding up to whole
// replicas, for every number of replicas.
const RampStep = 1.25

// factorVaries reports whether the window's factor changes during the phase, other than by a rise
// above 1.
func (w *window) factorVaries(p phase) bool {
	return w.demand.Multiply != 1 && !p.active && (p.falling || p.rising && w.demand.Multiply < 1)
}

// roundingError is the relative error that the arithmetic of a ramp may have.
const roundingError = 1e-9

// forever is the end of a phase that does not end.
const forever = math.MaxInt64

// window is one compiled window. Starts are instants in whole seconds, all other instants are in
// nanoseconds.
type window struct {
	name string
	// cron is nil for a window that occurs only one time: at the instant once, if allowed is set.
	cron    *matcher
	once    int64
	allowed bool

	duration, rampUp, rampDown time.Duration
	demand                     Demand // outside of the ramps
}

// lastStart returns the last start at or before m, in seconds, and reports whether there is one.
func (w *window) lastStart(z *zone, m moment) (int64, bool) {
	if w.cron == nil {
		return w.once, w.allowed && w.once <= m.instant
	}
	if w.cron.elapsed {
		return w.lastElapsedStart(z, m)
	}
	wall, ok := w.cron.previous(m.latestWall)
	if !ok {
		return 0, false
	}
	return z.firstInstant(wall), true
}

// nextStart returns the first start after m, in seconds, and reports whether there is one.
func (w *window) nextStart(z *zone, m moment) (int64, bool) {
	if w.cron == nil {
		return w.once, w.allowed && w.once > m.instant
	}
	if w.cron.elapsed {
		return w.nextElapsedStart(z, m)
	}
	wall, ok := w.cron.next(m.latestWall + 1)
	if !ok {
		return 0, false
	}
	return z.firstInstant(wall), true
}

// lastElapsedStart walks backwards through the segments of the zone, because a match counts in
// every segment that shows it.
func (w *window) lastElapsedStart(z *zone, m moment) (int64, bool) {
	instant, first := m.instant, m.segment
	searched := instant + z.segments[first].offset
	wall, ok := w.cron.previous(searched)
	for i := first; i >= 0; i-- {
		s := z.segments[i]
		limit := min(z.lastInstant(i), instant) + s.offset
		// Where the clock was set back, the earlier segment has later wall times than those
		// searched.
		if limit > searched || ok && wall > limit {
			searched = limit
			wall, ok = w.cron.previous(limit)
		} else if !ok && i < first {
			break
		}
		if start := wall - s.offset; ok && start >= s.start {
			return start, true
		}
	}
	return 0, false
}

// nextElapsedStart is lastElapsedStart in the other direction.
func (w *window) nextElapsedStart(z *zone, m moment) (int64, bool) {
	instant, first := m.instant, m.segment
	if instant == z.lastInstant(first) {
		first++
	}
	searched := instant + 1 + z.segments[first].offset
	wall, ok := w.cron.next(searched)
	for i := first; i < len(z.segments); i++ {
		s := z.segments[i]
		limit := max(s.start, instant+1) + s.offset
		// Where the clock is set back, the later segment has earlier wall times than those
		// searched.
		if limit < searched || ok && wall < limit {
			searched = limit
			wall, ok = w.cron.next(limit)
		} else if !ok && i > first {
			break
		}
		if start := wall - s.offset; ok && start <= z.lastInstant(i) {
			return start, true
		}
	}
	return 0, false
}

// phase is a time during which a window does one thing: it is idle or active, rises or falls, or
// falls and rises at once.
type phase struct {
	until   int64 // the end of the phase, which is not part of it
	active  bool  // between start and end of the window
	falling bool  // in the ramp-down after end
	end     int64 // of the window, where active or falling
	rising  bool  // in the ramp-up before start
	start   int64 // of the window, where rising
}

// idle reports whether the window says nothing during the phase.
func (p phase) idle() bool { return !p.active && !p.falling && !p.rising }

// phaseAt returns what the window does at an instant: a phase whose until is not set.
func (w *window) phaseAt(z *zone, m moment, now int64) phase {
	var p phase
	if last, started := w.lastStart(z, m); started {
		p.end = last*int64(time.Second) + int64(w.duration)
		if now < p.end {
			p.active = true
			return p
		}
		p.falling = now < p.end+int64(w.rampDown)
	}
	if w.rampUp > 0 {
		if next, ok := w.nextStart(z, m); ok {
			p.start = next * int64(time.Second)
			p.rising = now >= p.start-int64(w.rampUp)
		}
	}
	return p
}

// phaseFrom returns what the window does from now on. until is exact up to horizon only.
func (w *window) phaseFrom(z *zone, now, horizon int64) phase {
	m := z.moment(floorSecond(now))
	p := w.phaseAt(z, m, now)
	if p.active {
		p.until = w.activeUntil(z, p.end, horizon)
		return p
	}
	p.until = forever
	if next, ok := w.nextStart(z, m); ok {
		p.until = next * int64(time.Second)
		if !p.rising {
			p.until -= int64(w.rampUp)
		}
	}
	if p.falling {
		p.until = min(p.until, p.end+int64(w.rampDown))
	}
	return p
}

// activeUntil returns until when the window stays active, through occurrences that overlap or
// touch. It looks no further than horizon.
func (w *window) activeUntil(z *zone, end, horizon int64) int64 {
	for end < horizon {
		later, _ := w.lastStart(z, z.moment(floorSecond(end)))
		laterEnd := later*int64(time.Second) + int64(w.duration)
		if laterEnd <= end {
			break
		}
		end = laterEnd
	}
	return end
}

// value returns what the window says at an instant of the phase. With stepped, the last part of a
// ramp-up is one step, see [RampStep].
func (w *window) value(p phase, now int64, stepped bool) Demand {
	switch {
	case p.active:
		return w.demand
	case p.falling && p.rising:
		return w.stronger(w.fall(p, now, stepped), w.rise(p, now, stepped))
	case p.falling:
		return w.fall(p, now, stepped)
	case p.rising:
		return w.rise(p, now, stepped)
	default:
		return Neutral()
	}
}

// upperBound returns a Demand that is nowhere in [from, to] of the phase below the window's value.
func (w *window) upperBound(p phase, from, to int64) Demand {
	switch {
	case p.active:
		return w.demand
	case p.falling && p.rising:
		return w.stronger(
			w.fall(p, from, true).envelope(w.fall(p, to, true)),
			w.rise(p, from, true).envelope(w.rise(p, to, true)))
	case p.falling:
		return w.fall(p, from, true).envelope(w.fall(p, to, true))
	case p.rising:
		return w.rise(p, from, true).envelope(w.rise(p, to, true))
	default:
		return Neutral()
	}
}

func (w *window) rise(p phase, now int64, stepped bool) Demand {
	d := ramp(Neutral(), w.demand, 1-float64(p.start-now)/float64(w.rampUp), stepped)
	d.MultiplyTo, d.AddTo = math.Max(d.Multiply, w.demand.Multiply), w.demand.Add
	return d
}

func (w *window) fall(p phase, now int64, stepped bool) Demand {
	return ramp(w.demand, Neutral(), float64(now-p.end)/float64(w.rampDown), stepped)
}

// stronger returns, of two values of this window, the one that is further from neutral.
func (w *window) stronger(a, b Demand) Demand {
	d := a.envelope(b)
	if w.demand.Multiply < 1 {
		d.Multiply = min(a.Multiply, b.Multiply)
		d.MultiplyTo = d.Multiply
	}
	return d
}

// ramp returns the point on the line between two Demands, where share goes from 0 to 1. A maximum
// has no ramp, so AtMost is neutral.
func ramp(from, to Demand, share float64, stepped bool) Demand {
	line := func(from, to float64) float64 {
		value := from + (to-from)*share
		if stepped && to > from && value*RampStep >= to*(1-roundingError) {
			return to
		}
		return value
	}
	d := Demand{
		Multiply: line(from.Multiply, to.Multiply),
		Add:      line(from.Add, to.Add),
		AtLeast:  line(from.AtLeast, to.AtLeast),
		Replicas: line(from.Replicas, to.Replicas),
		AtMost:   math.Inf(1),
	}
	d.MultiplyTo, d.AddTo = d.Multiply, d.Add
	return d
}

// floorSecond returns the second that a nanosecond lies in.
func floorSecond(nanosecond int64) int64 {
	second := nanosecond / int64(time.Second)
	if nanosecond%int64(time.Second) < 0 {
		second--
	}
	return second
}
