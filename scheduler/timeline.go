package scheduler

import "time"

// Timeline returns what all schedules together say about n steps, the first of which begins at start: the envelope over each
// step [start+i·step, start+(i+1)·step). Applied to any forecast it is never less than At is at any instant inside the step;
// it can be more only where a step contains the edge of a window, or where several ramps of multiply windows meet.
func Timeline(schedules []*Schedule, start time.Time, step time.Duration, n int) []Demand {
	timeline := make([]Demand, n)
	add := func(p *part, demand Demand) {
		if !p.first {
			demand = demand.envelope(timeline[p.i])
		}
		timeline[p.i] = demand
	}
	sweep(schedules, start, step, n, visitor{
		part: func(p *part) {
			demand, wavers := Neutral(), false
			for c := range p.cursors {
				if w, piece := p.cursors[c].window, p.cursors[c].piece; !piece.idle() {
					demand = demand.And(w.cover(piece, p.from, p.to))
					wavers = wavers || w.wavers(piece)
				}
			}
			if wavers {
				demand = demand.arrived()
			}
			add(p, demand)
		},
		rest: func(p *part) {
			demand := Neutral()
			for c := range p.cursors {
				demand = demand.And(p.cursors[c].cover(p.from, p.to))
			}
			add(p, demand.arrived())
		},
	})
	return timeline
}

// cursor walks one window along a sweep.
type cursor struct {
	schedule *Schedule
	window   *window
	piece    piece
}

// cover is a Demand that is nowhere in [from, to] below the window's, however often the window changes in between.
func (c *cursor) cover(from, to int64) Demand {
	w, z := c.window, c.schedule.zone
	if c.piece.until >= to {
		if c.piece.idle() {
			return Neutral()
		}
		return w.cover(c.piece, from, to)
	}
	m := z.moment(floorSecond(from))
	if start, ok := w.following(z, m); ok && start*int64(time.Second) <= to {
		return w.demand.envelope(Neutral())
	}
	begin := w.state(z, m, from)
	if begin.full {
		return w.demand.envelope(Neutral())
	}
	end := w.state(z, z.moment(floorSecond(to)), to)
	return w.value(begin, from, true).envelope(w.value(end, to, true))
}

// part is a part of a step.
type part struct {
	i                int // of the step
	stepFrom, stepTo int64
	first            bool
	cursors          []cursor
	from, to         int64
}

// visitor is what a sweep calls.
type visitor struct {
	// part is called for a part of a step in which no window changes what it does.
	part func(*part)
	// rest is called for the rest of a step that has more such parts than are worth it. The pieces of the cursors are those at its
	// beginning, and may end within it.
	rest func(*part)
}

// mostParts is how many parts of a step are looked at one by one: many where steps are long, for then there are few of them, and
// fewer the more windows there are. So the work of a sweep is bounded by steps and windows, whatever the windows are.
func mostParts(step time.Duration, windows int) int {
	const perMinute, most, usual = 4, 512, 64
	parts := min(max(int(step/time.Minute), 1)*perMinute, most)
	return max(parts*usual/max(windows, usual), perMinute)
}

// sweep cuts every step into parts in which no window changes what it does, and visits them in order. A step's first part
// is marked. Steps out of the years that are evaluated are visited as one part with no cursors.
func sweep(schedules []*Schedule, start time.Time, step time.Duration, n int, visit visitor) {
	end := start.Add(time.Duration(n) * step)
	if step <= 0 || !inRange(start) || !inRange(end) {
		for i := range n {
			visit.part(&part{i: i, stepTo: 1, first: true, to: 1})
		}
		return
	}
	horizon := end.UnixNano()
	cursors := cursorsAt(schedules, start.UnixNano(), horizon)
	most := mostParts(step, len(cursors))
	next := nextChange(cursors)
	p := part{cursors: cursors}
	for p.i = range n {
		p.stepFrom = start.UnixNano() + int64(p.i)*int64(step)
		p.stepTo = p.stepFrom + int64(step)
		parts := 0
		for p.from = p.stepFrom; p.from < p.stepTo; p.from = p.to {
			if p.from >= next {
				for c := range cursors {
					if at := &cursors[c]; at.piece.until <= p.from {
						at.piece = at.window.piece(at.schedule.zone, p.from, horizon)
					}
				}
				next = nextChange(cursors)
			}
			p.first, p.to = parts == 0, min(p.stepTo, next)
			if parts++; parts > most && p.to < p.stepTo {
				p.to = p.stepTo
				visit.rest(&p)
				continue
			}
			visit.part(&p)
		}
	}
}

func cursorsAt(schedules []*Schedule, at, horizon int64) []cursor {
	var cursors []cursor
	for _, s := range schedules {
		for i := range s.windows {
			if !s.suspended {
				w := &s.windows[i]
				cursors = append(cursors, cursor{s, w, w.piece(s.zone, at, horizon)})
			}
		}
	}
	return cursors
}

func nextChange(cursors []cursor) int64 {
	next := int64(forever)
	for _, c := range cursors {
		next = min(next, c.piece.until)
	}
	return next
}
