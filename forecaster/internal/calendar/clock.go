// Package calendar maps the steps of a series to the wall clock, and learns what named days, such
// as holidays, do to demand.
package calendar

import "time"

// A Clock maps steps to wall-clock seasons: the step one day before 09:00 is yesterday's 09:00 in
// the zone, even when the zone's offset changed in between. It is not safe for concurrent use.
type Clock struct {
	Step time.Duration // length of a step

	start  time.Time // of step 0
	loc    *time.Location
	starts []int // steps at which the zone's offset changes, ascending; the first entry is step 0
	shift  []int // offset from UTC, in steps, from starts[i] on
}

// NewClock returns the clock of a series whose first step begins at start, in the zone loc.
func NewClock(start time.Time, step time.Duration, loc *time.Location) Clock {
	return Clock{start: start, Step: step, loc: loc}
}

// Offset returns the zone's offset from UTC at step i, in steps.
func (c *Clock) Offset(i int) int {
	if c.loc == time.UTC {
		return 0
	}
	c.extend(i)
	k := len(c.starts) - 1
	for k > 0 && c.starts[k] > i {
		k--
	}
	return c.shift[k]
}

// extend adds the zone's transitions up to step i to the table.
func (c *Clock) extend(i int) {
	for {
		var at time.Time
		if len(c.starts) == 0 {
			at = c.start
		} else {
			last := c.starts[len(c.starts)-1]
			if last > i {
				return
			}
			_, end := c.start.Add(time.Duration(max(last, 0)) * c.Step).In(c.loc).ZoneBounds()
			if end.IsZero() {
				return
			}
			at = end
			if n := int((at.Sub(c.start) + c.Step - 1) / c.Step); n > last {
				at = c.start.Add(time.Duration(n) * c.Step)
			}
		}
		_, seconds := at.In(c.loc).Zone()
		n := int((at.Sub(c.start) + c.Step - 1) / c.Step)
		if len(c.starts) > 0 && n <= c.starts[len(c.starts)-1] {
			return
		}
		c.starts = append(c.starts, n)
		c.shift = append(c.shift, int(time.Duration(seconds)*time.Second/c.Step))
	}
}

// Back returns the step that lies lag steps before step i. Lags of whole days follow the wall
// clock. Others do not: what repeats every five minutes has nothing to do with summer time.
func (c *Clock) Back(i, lag int) int {
	j := i - lag
	if c.loc == time.UTC || (time.Duration(lag)*c.Step)%(24*time.Hour) != 0 || j < 0 {
		return j
	}
	return j + c.Offset(i) - c.Offset(j)
}
