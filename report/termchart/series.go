package termchart

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/scheduler"
)

// Series is one quantity over time.
type Series struct {
	// Name is the text of the legend.
	Name string
	// Max returns the largest value within [from, to), and false if there is none.
	Max func(from, to time.Time) (float64, bool)
}

// SeriesOf returns the Series of values that hold for one step each, from start on. NaN is a gap.
func SeriesOf(name string, start time.Time, step time.Duration, values []float64) Series {
	return Series{Name: name, Max: func(from, to time.Time) (largest float64, found bool) {
		if !to.After(start) {
			return 0, false
		}
		first, last := int(from.Sub(start)/step), int((to.Sub(start)-1)/step)
		if from.Before(start) {
			first = 0
		}
		for i := first; i <= last && i < len(values); i++ {
			if v := values[i]; !math.IsNaN(v) && (!found || v > largest) {
				largest, found = v, true
			}
		}
		return largest, found
	}}
}

// Lane is a row of marks below the time axis.
type Lane struct {
	// Name is the label at the left.
	Name string
	// Mark is the character of the marks.
	Mark Mark
	// Marked reports whether there is a mark at [from, to).
	Marked func(from, to time.Time) bool
}

// Mark is the character of a lane.
type Mark rune

const (
	// MarkPeak is a declared peak.
	MarkPeak Mark = '▀'
	// MarkExcluded is a day without peaks.
	MarkExcluded Mark = '×'
	// MarkShort is demand that is not fully served. The legend explains it.
	MarkShort Mark = '!'
)

// PeakLane returns the Lane of the windows that the schedules declare.
func PeakLane(schedules []*scheduler.Schedule) Lane {
	return Lane{Name: "peak", Mark: MarkPeak, Marked: func(from, to time.Time) bool {
		return slices.ContainsFunc(schedules, func(s *scheduler.Schedule) bool {
			found, _ := s.Between(from, to, 1)
			return len(found) > 0
		})
	}}
}

// ExcludedLane returns the Lane of the days that the schedules exclude.
func ExcludedLane(schedules []*scheduler.Schedule) Lane {
	return Lane{Name: "excluded", Mark: MarkExcluded, Marked: func(from, to time.Time) bool {
		return slices.ContainsFunc(schedules, func(s *scheduler.Schedule) bool { return s.Excluded(from, to) })
	}}
}
