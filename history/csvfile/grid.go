package csvfile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/history"
)

// sort sorts the rows by time. Rows that say the same twice become one.
func (s *rawSeries) sort() error {
	slices.SortStableFunc(s.rows, func(a, b rawRow) int { return a.stamp.t.Compare(b.stamp.t) })
	kept := s.rows[:0]
	for _, row := range s.rows {
		n := len(kept)
		if n == 0 || !row.stamp.t.Equal(kept[n-1].stamp.t) {
			kept = append(kept, row)
			continue
		}
		last := &kept[n-1]
		switch {
		case math.IsNaN(last.value):
			*last = row
		case !math.IsNaN(row.value) && row.value != last.value:
			of := ""
			if s.name != "" {
				of = fmt.Sprintf(" of series %q", abridge(s.name))
			}
			return &RowError{row.line, fmt.Sprintf("timestamp %s%s was already on line %d, with another value: keep one "+
				"row per time (where a local clock was set back, write the UTC offset)", row.text, of, last.line)}
		}
	}
	s.rows = kept
	return nil
}

// series puts the rows on their grid. It makes at most maxSteps steps.
func (s *rawSeries) series(step time.Duration, maxSteps int) (NamedSeries, error) {
	first, last := s.rows[0], s.rows[len(s.rows)-1]
	g := gridOf(s.rows, step)
	if g.step == 0 {
		return NamedSeries{}, &RowError{first.line, "a series of one row has no step of its own: give the step"}
	}
	if err := checkSpan(first, last, g.step, maxSteps); err != nil {
		return NamedSeries{}, err
	}
	n := NamedSeries{
		Name: s.name, first: stamp{g.first, first.stamp.layout},
		Series: history.Series{Start: g.start, Step: g.step},
	}
	before := rawRow{}
	for i, row := range s.rows {
		at := nearest(row.stamp.t.Sub(g.origin), g.step)
		if i > 0 && at < len(n.Series.Values) {
			if row.stamp.t.Sub(before.stamp.t) <= g.step/2 {
				return NamedSeries{}, &RowError{row.line, fmt.Sprintf("%s falls into the same step of %s as %s on line "+
					"%d: give a shorter step, or one row per step", row.text, g.step, before.text, before.line)}
			}
			// The rows are a little closer to each other than a step is long.
			n.Series.Values[at] = meanOf(n.Series.Values[at], row.value)
			before = row
			continue
		}
		missing := at - len(n.Series.Values)
		n.Series.Values = append(append(n.Series.Values, gaps(missing)...), row.value)
		n.stamps = append(append(n.stamps, make([]string, missing)...), row.text)
		n.lines = append(append(n.lines, make([]int, missing)...), row.line)
		before = row
	}
	return n, nil
}

// meanOf returns the mean of two values of which one may be a gap.
func meanOf(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return (a + b) / 2
}

// grid is where the steps of a series are.
type grid struct {
	step time.Duration
	// origin is where the row of step 0 would be if it did not jitter. Rows belong to the step
	// whose place is nearest.
	origin time.Time
	// start is the start of step 0, and first is how a row that is missing would be stamped.
	start, first time.Time
}

// gridOf finds the grid of rows. Where most of them are equally far apart, they are steps of the
// grid below them and keep their place within it. Otherwise their times jitter, and the grid is
// that of whole steps.
func gridOf(rows []rawRow, step time.Duration) grid {
	first := rows[0].stamp.t
	common, share := commonDifference(rows)
	g := grid{step: step, origin: first, first: first}
	if step == 0 {
		if g.step = common; share < 0.5 || common%time.Second != 0 {
			g.step = meanDifference(rows)
		}
	}
	if g.step == 0 {
		return g
	}
	if len(rows) == 1 || share >= 0.5 && common%g.step == 0 {
		g.start = history.FloorTo(first, g.step)
		return g
	}
	// The median place of a row within its step, from that of the first row.
	offsets := make([]time.Duration, len(rows))
	for i, row := range rows {
		d := row.stamp.t.Sub(first)
		offsets[i] = d - time.Duration(nearest(d, g.step))*g.step
	}
	slices.Sort(offsets)
	g.origin = first.Add(offsets[len(offsets)/2])
	if before := nearest(first.Sub(g.origin), g.step); before != 0 {
		g.origin = g.origin.Add(time.Duration(before) * g.step)
	}
	// A row that is a little early belongs to the step that follows.
	g.start = history.FloorTo(g.origin.Add(g.step/earlyShare), g.step)
	g.first = g.start.In(first.Location())
	return g
}

// earlyShare is the part of a step by which a row may be early.
const earlyShare = 10

// meanDifference returns the time between two rows whose times jitter, as a whole number of hours,
// minutes or seconds where it is close to one; 0 for a single row.
func meanDifference(rows []rawRow) time.Duration {
	if len(rows) < 2 {
		return 0
	}
	differences := make([]time.Duration, 0, len(rows)-1)
	for i := 1; i < len(rows); i++ {
		differences = append(differences, rows[i].stamp.t.Sub(rows[i-1].stamp.t))
	}
	slices.Sort(differences)
	mean := float64(differences[len(differences)/2])
	spread := float64(differences[len(differences)*9/10] - differences[len(differences)/10])
	// Over more and more rows, the mean gets exact enough to count the steps of the next.
	steps := 1.0
	for n := 2; ; n = min(2*n, len(rows)) {
		span := float64(rows[n-1].stamp.t.Sub(rows[0].stamp.t))
		steps = math.Max(1, math.Round(span/mean))
		mean = span / steps
		if n == len(rows) {
			break
		}
	}
	tolerance := math.Max(0.005*mean, spread/steps)
	for _, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		whole := math.Round(mean/float64(unit)) * float64(unit)
		if whole > 0 && math.Abs(whole-mean) <= math.Min(tolerance, float64(unit)/4) {
			return time.Duration(whole)
		}
	}
	return time.Duration(mean)
}

// checkSpan checks the step of a series, and the number of steps from its first row to its last.
func checkSpan(first, last rawRow, step time.Duration, maxSteps int) error {
	if step < minStep {
		return &RowError{first.line, fmt.Sprintf("rows are %s apart, and demand comes in steps of at least %s: sum or "+
			"average the rows of a second, or give a longer step", step, minStep)}
	}
	if step > maxStep {
		return &RowError{last.line, fmt.Sprintf("rows are more than a year apart: check %s and %s on line %d",
			last.text, first.text, first.line)}
	}
	if steps := last.stamp.t.Sub(first.stamp.t) / step; int64(steps) >= int64(maxSteps)-1 {
		return &RowError{last.line, fmt.Sprintf("%s is %d steps of %s after %s on line %d, more than a file may have: "+
			"check both times, or give a longer step", last.text, int64(steps), step, first.text, first.line)}
	}
	return nil
}

// nearest returns how many steps come closest to d, the higher number of two.
func nearest(d, step time.Duration) int {
	n, remainder := d/step, d%step
	if remainder < 0 {
		n, remainder = n-1, remainder+step
	}
	if remainder >= step-remainder {
		n++
	}
	return int(n)
}

// commonDifference returns the most common difference between neighbouring rows, the smaller one of
// equals, and the share of all differences that it has; 0 for a single row.
func commonDifference(rows []rawRow) (time.Duration, float64) {
	counts := map[time.Duration]int{}
	for i := 1; i < len(rows); i++ {
		counts[rows[i].stamp.t.Sub(rows[i-1].stamp.t)]++
	}
	var best time.Duration
	for d, n := range counts {
		if n > counts[best] || n == counts[best] && d < best {
			best = d
		}
	}
	return best, float64(counts[best]) / float64(cmp.Or(len(rows)-1, 1))
}

// gaps returns n values, none of them known.
func gaps(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}
