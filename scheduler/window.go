package scheduler

import (
	"math"
	"time"
)

// RampStep is how much larger than the value before it the last step of a rising ramp is: once the line is past the full
// value divided by RampStep, the full value counts. A HorizontalPodAutoscaler leaves replicas alone while they are within its
// tolerance, 1.1 by default, of what the metric asks for; a rise of 1.25 is out of it even after rounding up to whole
// replicas, for every whole number of them.
const RampStep = 1.25

// wavers reports whether the window's factor changes during the piece in any way but a rise above 1.
func (w *window) wavers(p piece) bool {
	return w.demand.Multiply != 1 && !p.full && (p.falling || p.rising && w.demand.Multiply < 1)
}

// rounding is what the arithmetic of a ramp may be off by.
const rounding = 1e-9

// forever is an end that never comes.
const forever = math.MaxInt64

// window is one compiled window. Instants that end in a start are whole seconds; the others are nanoseconds.
type window struct {
	name string
	// cron is nil for a one-off, which starts at once, unless its date is not allowed.
	cron    *matcher
	once    int64
	allowed bool

	duration, rampUp, rampDown time.Duration
	demand                     Demand // at full strength
}

// latest returns the last start at or before m, in seconds.
func (w *window) latest(z *zone, m moment) (int64, bool) {
	if w.cron == nil {
		return w.once, w.allowed && w.once <= m.instant
	}
	if w.cron.elapsed {
		return w.latestElapsed(z, m)
	}
	wall, ok := w.cron.previous(m.reached)
	if !ok {
		return 0, false
	}
	return z.first(wall), true
}

// following returns the first start after m, in seconds.
func (w *window) following(z *zone, m moment) (int64, bool) {
	if w.cron == nil {
		return w.once, w.allowed && w.once > m.instant
	}
	if w.cron.elapsed {
		return w.followingElapsed(z, m)
	}
	wall, ok := w.cron.next(m.reached + 1)
	if !ok {
		return 0, false
	}
	return z.first(wall), true
}

// latestElapsed walks the zone's segments backwards: a match counts in every segment that shows it.
func (w *window) latestElapsed(z *zone, m moment) (int64, bool) {
	instant, first := m.instant, m.segment
	searched := instant + z.segments[first].offset
	wall, ok := w.cron.previous(searched)
	for i := first; i >= 0; i-- {
		s := z.segments[i]
		limit := min(z.end(i), instant) + s.offset
		// Where the clock was set back, the time before shows later walls than have been searched.
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

// followingElapsed is latestElapsed forwards.
func (w *window) followingElapsed(z *zone, m moment) (int64, bool) {
	instant, first := m.instant, m.segment
	if instant == z.end(first) {
		first++
	}
	searched := instant + 1 + z.segments[first].offset
	wall, ok := w.cron.next(searched)
	for i := first; i < len(z.segments); i++ {
		s := z.segments[i]
		limit := max(s.start, instant+1) + s.offset
		// Where the clock is set back, the time after shows earlier walls than have been searched.
		if limit < searched || ok && wall < limit {
			searched = limit
			wall, ok = w.cron.next(limit)
		} else if !ok && i > first {
			break
		}
		if start := wall - s.offset; ok && start <= z.end(i) {
			return start, true
		}
	}
	return 0, false
}

// piece is a time over which a window does one thing: nothing, count in full, rise, fall, or fall and rise at once.
type piece struct {
	until   int64 // the piece ends here, without it
	full    bool
	falling bool
	end     int64 // falling: the end of the window
	rising  bool
	start   int64 // rising: the start of the window
}

// idle reports whether the window says nothing during the piece.
func (p piece) idle() bool { return !p.full && !p.falling && !p.rising }

// state returns what the window does at an instant: a piece without its end.
func (w *window) state(z *zone, m moment, now int64) piece {
	var p piece
	if last, started := w.latest(z, m); started {
		p.end = last*int64(time.Second) + int64(w.duration)
		if now < p.end {
			p.full = true
			return p
		}
		p.falling = now < p.end+int64(w.rampDown)
	}
	if w.rampUp > 0 {
		if next, ok := w.following(z, m); ok {
			p.start = next * int64(time.Second)
			p.rising = now >= p.start-int64(w.rampUp)
		}
	}
	return p
}

// piece returns what the window does from now on. It looks no further than horizon.
func (w *window) piece(z *zone, now, horizon int64) piece {
	m := z.moment(floorSecond(now))
	p := w.state(z, m, now)
	if p.full {
		p.until = w.fullUntil(z, p.end, horizon)
		return p
	}
	p.until = forever
	if next, ok := w.following(z, m); ok {
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

// fullUntil follows occurrences that overlap or touch: the window stays active until the last of them ends.
func (w *window) fullUntil(z *zone, end, horizon int64) int64 {
	for end < horizon {
		later, _ := w.latest(z, z.moment(floorSecond(end)))
		laterEnd := later*int64(time.Second) + int64(w.duration)
		if laterEnd <= end {
			break
		}
		end = laterEnd
	}
	return end
}

// value returns what the window says at an instant of the piece. With stepped, a rise takes its last part at once.
func (w *window) value(p piece, now int64, stepped bool) Demand {
	switch {
	case p.full:
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

// cover returns a Demand that is nowhere in [from, to] of the piece below the window's value.
func (w *window) cover(p piece, from, to int64) Demand {
	switch {
	case p.full:
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

func (w *window) rise(p piece, now int64, stepped bool) Demand {
	d := ramp(Neutral(), w.demand, 1-float64(p.start-now)/float64(w.rampUp), stepped)
	d.MultiplyTo, d.AddTo = math.Max(d.Multiply, w.demand.Multiply), w.demand.Add
	return d
}

func (w *window) fall(p piece, now int64, stepped bool) Demand {
	return ramp(w.demand, Neutral(), float64(now-p.end)/float64(w.rampDown), stepped)
}

// stronger returns, of two values of this window, the one that is further from neutral.
func (w *window) stronger(a, b Demand) Demand {
	strong := a.envelope(b)
	if w.demand.Multiply < 1 {
		strong.Multiply = min(a.Multiply, b.Multiply)
		strong.MultiplyTo = strong.Multiply
	}
	return strong
}

// ramp returns the point at share of the way from one Demand to another. AtMost has no way: a maximum does not ramp.
func ramp(from, to Demand, share float64, stepped bool) Demand {
	line := func(from, to float64) float64 {
		value := from + (to-from)*share
		if stepped && to > from && value*RampStep >= to*(1-rounding) {
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
