package forecaster

import "time"

// A clock maps steps to wall-clock seasons: the step one day before 09:00 is yesterday's 09:00 in the zone, whatever the zone's
// offset did in between.
type clock struct {
	start  time.Time
	step   time.Duration
	loc    *time.Location
	starts []int // steps at which the zone's offset changes, ascending; the first entry is the beginning of time
	shift  []int // offset from UTC, in steps, from starts[i] on
}

func newClock(start time.Time, step time.Duration, loc *time.Location) clock {
	return clock{start: start, step: step, loc: loc}
}

// offset returns the zone's offset from UTC at step i, in steps.
func (c *clock) offset(i int) int {
	if c.loc == time.UTC {
		return 0
	}
	c.reach(i)
	k := len(c.starts) - 1
	for k > 0 && c.starts[k] > i {
		k--
	}
	return c.shift[k]
}

// reach extends the table of transitions to step i.
func (c *clock) reach(i int) {
	for {
		var at time.Time
		if len(c.starts) == 0 {
			at = c.start
		} else {
			last := c.starts[len(c.starts)-1]
			if last > i {
				return
			}
			_, end := c.start.Add(time.Duration(max(last, 0)) * c.step).In(c.loc).ZoneBounds()
			if end.IsZero() {
				return
			}
			at = end
			if n := int((at.Sub(c.start) + c.step - 1) / c.step); n > last {
				at = c.start.Add(time.Duration(n) * c.step)
			}
		}
		_, seconds := at.In(c.loc).Zone()
		n := int((at.Sub(c.start) + c.step - 1) / c.step)
		if len(c.starts) > 0 && n <= c.starts[len(c.starts)-1] {
			return
		}
		c.starts = append(c.starts, n)
		c.shift = append(c.shift, int(time.Duration(seconds)*time.Second/c.step))
	}
}

// back returns the step that lies lag steps before step i on the wall clock. Only lags of whole days follow the wall clock; what
// repeats every five minutes does not know of summer time.
func (c *clock) back(i, lag int) int {
	j := i - lag
	if c.loc == time.UTC || (time.Duration(lag)*c.step)%(24*time.Hour) != 0 || j < 0 {
		return j
	}
	return j + c.offset(i) - c.offset(j)
}
