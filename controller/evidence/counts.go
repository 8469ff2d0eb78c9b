package evidence

import (
	"math"
	"time"
)

const (
	// maxRuns bounds what is kept of the ready pods that were counted.
	maxRuns = 64
	// countLasts is how long a count holds, in steps, until the next one is needed.
	countLasts = 3
)

// run is a time in which the number of ready pods was the same.
type run struct {
	from, to time.Time
	ready    int
}

// counts are the numbers of ready pods that were seen lately. The zero value has seen none.
type counts struct{ runs []run }

// saw adds a count.
func (c *counts) saw(now time.Time, ready int, step time.Duration) {
	if n := len(c.runs); n > 0 {
		last := &c.runs[n-1]
		if !now.After(last.to) {
			return
		}
		if last.ready == ready && now.Sub(last.to) <= countLasts*step {
			last.to = now
			return
		}
	}
	if len(c.runs) == maxRuns {
		c.runs = append(c.runs[:0], c.runs[1:]...)
	}
	c.runs = append(c.runs, run{now, now, ready})
}

// during returns how many pods were ready throughout [from, to]; NaN where that is not known.
func (c *counts) during(from, to time.Time) float64 {
	for i, r := range c.runs {
		if r.from.After(from) {
			break
		}
		// A count holds until the next one, if that comes soon.
		if !r.to.Before(to) || i == len(c.runs)-1 && r.to.Add(to.Sub(from)).After(to) {
			return float64(r.ready)
		}
	}
	return math.NaN()
}

// fill puts what was counted before what the query says, which is for the past. A query that gives
// no whole number of at least 1 does not measure replicas, and where no pod was found the query counts.
func (c *counts) fill(replicas []float64, from time.Time, step time.Duration) {
	for i, n := range replicas {
		at := from.Add(time.Duration(i) * step)
		if counted := c.during(at, at.Add(step)); counted > 0 {
			replicas[i] = counted
		} else if !(n >= 1) || n != math.Trunc(n) || math.IsInf(n, 0) {
			replicas[i] = math.NaN()
		}
	}
}
