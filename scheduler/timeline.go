package scheduler

import "time"

// Timeline returns what all schedules together say about n steps. Element i is the envelope over
// [start+i·step, start+(i+1)·step): applied to any forecast, it is never below At at any instant of
// the step. It can be above only where a window starts, ends or changes within the step, or where
// ramps of several multiply windows meet.
func Timeline(schedules []*Schedule, start time.Time, step time.Duration, n int) []Demand {
	timeline := make([]Demand, n)
	add := func(p *part, demand Demand) {
		if !p.first {
			demand = demand.envelope(timeline[p.i])
		}
		timeline[p.i] = demand
	}
	sweep(cursorsOf(schedules), start, step, n, visitor{
		part: func(p *part) {
			demand, varies := Neutral(), false
			for _, c := range p.busy {
				w, phase := p.cursors[c].window, p.cursors[c].phase
				demand = demand.And(w.upperBound(phase, p.from, p.to))
				varies = varies || w.factorVaries(phase)
			}
			if varies {
				demand = demand.rampedUp()
			}
			add(p, demand)
		},
		remainder: func(p *part) {
			demand := Neutral()
			for c := range p.cursors {
				demand = demand.And(p.cursors[c].upperBound(p.from, p.to))
			}
			add(p, demand.rampedUp())
		},
	})
	return timeline
}

// cursor is the position of a sweep in one window.
type cursor struct {
	schedule *Schedule
	window   *window
	phase    phase
}

// upperBound returns a Demand that is nowhere in [from, to] below the window's, however often the
// window changes in between.
func (c *cursor) upperBound(from, to int64) Demand {
	w, z := c.window, c.schedule.zone
	if c.phase.until >= to {
		if c.phase.idle() {
			return Neutral()
		}
		return w.upperBound(c.phase, from, to)
	}
	m := z.moment(floorSecond(from))
	if start, ok := w.nextStart(z, m); ok && start*int64(time.Second) <= to {
		return w.demand.envelope(Neutral())
	}
	begin := w.phaseAt(z, m, from)
	if begin.active {
		return w.demand.envelope(Neutral())
	}
	end := w.phaseAt(z, z.moment(floorSecond(to)), to)
	return w.value(begin, from, true).envelope(w.value(end, to, true))
}

// part is a part of a step.
type part struct {
	i                int // of the step
	stepFrom, stepTo int64
	first            bool // the first part of its step
	cursors          []cursor
	busy             []int // the cursors that are not idle, in their order
	from, to         int64
}

// visitor has the functions that a sweep calls, for one part after the other.
type visitor struct {
	// part is called for a part of a step in which no window changes its phase.
	part func(*part)
	// remainder is called for the last part of a step with too many changes, see maxParts. Windows
	// may change their phases within it. The cursors have the phases at its beginning.
	remainder func(*part)
}

// maxParts returns into how many parts a step is cut at most. There are many parts where steps are
// long, because then there are few steps, and few parts where there are many windows. So the number
// of steps and windows bounds the work of a sweep, whatever the windows are.
func maxParts(step time.Duration, windows int) int {
	const perMinute, limit, manyWindows = 4, 512, 64
	parts := min(max(int(step/time.Minute), 1)*perMinute, limit)
	return max(parts*manyWindows/max(windows, manyWindows), perMinute)
}

// sweep cuts every step into parts in which no window changes its phase, and visits them in order.
// Where the timeline reaches out of the years that are evaluated, each step is one part and there
// are no cursors.
func sweep(cursors []cursor, start time.Time, step time.Duration, n int, visit visitor) {
	end := start.Add(time.Duration(n) * step)
	if step <= 0 || !inRange(start) || !inRange(end) {
		for i := range n {
			visit.part(&part{i: i, stepTo: 1, first: true, to: 1})
		}
		return
	}
	horizon := end.UnixNano()
	for i := range cursors {
		c := &cursors[i]
		c.phase = c.window.phaseFrom(c.schedule.zone, start.UnixNano(), horizon)
	}
	changes := newChanges(cursors)
	limit := maxParts(step, len(changes.cursors))
	next := changes.next()
	p := part{cursors: changes.cursors, busy: changes.busy}
	for p.i = range n {
		p.stepFrom = start.UnixNano() + int64(p.i)*int64(step)
		p.stepTo = p.stepFrom + int64(step)
		parts := 0
		for p.from = p.stepFrom; p.from < p.stepTo; p.from = p.to {
			if p.from >= next {
				changes.advance(p.from, horizon)
				p.busy, next = changes.busy, changes.next()
			}
			p.first, p.to = parts == 0, min(p.stepTo, next)
			if parts++; parts > limit && p.to < p.stepTo {
				p.to = p.stepTo
				visit.remainder(&p)
				continue
			}
			visit.part(&p)
		}
	}
}

// cursorsOf returns a cursor for every window that is not suspended. Their phases are not set.
func cursorsOf(schedules []*Schedule) []cursor {
	var cursors []cursor
	for _, s := range schedules {
		for i := range s.windows {
			if !s.suspended {
				cursors = append(cursors, cursor{schedule: s, window: &s.windows[i]})
			}
		}
	}
	return cursors
}
