package scheduler

import "time"

// Timeline returns what all schedules together say about n steps, the first of which begins at start: the envelope over each
// step [start+i·step, start+(i+1)·step). Applied to any forecast it is never less than At is at any instant inside the step;
// it can be more only where a step contains the edge of a window, or where several ramps of multiply windows meet.
func Timeline(schedules []*Schedule, start time.Time, step time.Duration, n int) []Demand {
	timeline := make([]Demand, n)
	sweep(schedules, start, step, n, func(i int, _, _ int64, first bool, cursors []cursor, from, to int64) {
		demand := Neutral()
		for c := range cursors {
			if w, p := cursors[c].window, cursors[c].piece; !p.idle() {
				demand = demand.And(w.cover(p, from, to))
			}
		}
		if !first {
			demand = demand.envelope(timeline[i])
		}
		timeline[i] = demand
	})
	return timeline
}

// cursor walks one window along a sweep.
type cursor struct {
	schedule *Schedule
	window   *window
	piece    piece
}

// sweep cuts every step into parts in which no window changes what it does, and visits them in order. A step's first part
// is marked. Steps out of the years that are evaluated are visited as one part with no cursors.
func sweep(schedules []*Schedule, start time.Time, step time.Duration, n int,
	visit func(i int, stepFrom, stepTo int64, first bool, cursors []cursor, from, to int64),
) {
	end := start.Add(time.Duration(n) * step)
	if step <= 0 || !inRange(start) || !inRange(end) {
		for i := range n {
			visit(i, 0, 1, true, nil, 0, 1)
		}
		return
	}
	horizon := end.UnixNano()
	var cursors []cursor
	for _, s := range schedules {
		for i := range s.windows {
			if !s.suspended {
				w := &s.windows[i]
				cursors = append(cursors, cursor{s, w, w.piece(s.zone, start.UnixNano(), horizon)})
			}
		}
	}
	next := nextChange(cursors)
	for i := range n {
		stepFrom := start.UnixNano() + int64(i)*int64(step)
		stepTo := stepFrom + int64(step)
		for from := stepFrom; from < stepTo; {
			if from >= next {
				for c := range cursors {
					if at := &cursors[c]; at.piece.until <= from {
						at.piece = at.window.piece(at.schedule.zone, from, horizon)
					}
				}
				next = nextChange(cursors)
			}
			to := min(stepTo, next)
			visit(i, stepFrom, stepTo, from == stepFrom, cursors, from, to)
			from = to
		}
	}
}

func nextChange(cursors []cursor) int64 {
	next := int64(forever)
	for _, c := range cursors {
		next = min(next, c.piece.until)
	}
	return next
}
