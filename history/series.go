package history

import (
	"math"
	"time"
)

// MaxDemand is the most that a sample of Prometheus may say. No service has so much in any unit,
// and what is served must stay a number that Kubernetes can hold. A query that divides by almost
// nothing gives such samples.
const MaxDemand = 1e15

// Series is demand in steps of equal length. Step i covers [Start + i·Step, Start + (i+1)·Step).
type Series struct {
	// Start is the beginning of step 0, a multiple of Step since the Unix epoch.
	Start time.Time
	// Step is the length of a step, above zero.
	Step time.Duration
	// Values is the demand of each step, in the user's unit. NaN is a gap.
	Values []float64
}

// End returns the end of the last step: the instant at which the next, unknown step begins. It is
// Start for an empty series.
func (s Series) End() time.Time {
	return s.Start.Add(time.Duration(len(s.Values)) * s.Step)
}

// Known returns how many steps are not gaps.
func (s Series) Known() int {
	n := 0
	for _, v := range s.Values {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// Between returns the steps that lie wholly in [from, to), as a view of the same values. It is
// empty when there are none.
func (s Series) Between(from, to time.Time) Series {
	first := min(max(stepsBetween(s.Start, ceilTo(from, s.Step), s.Step), 0), len(s.Values))
	last := min(max(stepsBetween(s.Start, FloorTo(to, s.Step), s.Step), first), len(s.Values))
	start := s.Start.Add(time.Duration(first) * s.Step)
	return Series{Start: start, Step: s.Step, Values: s.Values[first:last:last]}
}

// FloorTo returns the last multiple of step since the Unix epoch that is not after t, in UTC.
// [time.Time.Truncate] does something else: it counts from the year 1.
func FloorTo(t time.Time, step time.Duration) time.Time {
	n := t.UnixNano()
	r := n % int64(step)
	if r < 0 {
		r += int64(step)
	}
	return time.Unix(0, n-r).UTC()
}

// ceilTo returns the first multiple of step since the Unix epoch that is not before t, in UTC.
func ceilTo(t time.Time, step time.Duration) time.Time {
	if f := FloorTo(t, step); f.Before(t) {
		return f.Add(step)
	}
	return t.UTC()
}

// stepsBetween returns the whole steps from a to b, both aligned to step; negative when b is before
// a.
func stepsBetween(a, b time.Time, step time.Duration) int {
	return int(b.Sub(a) / step)
}

// gaps returns n values, none of them known.
func gaps(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}
