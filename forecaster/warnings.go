package forecaster

import (
	"fmt"
	"math"
)

// warn collects what a reader of the forecast should know about the history it was made from.
func (s *state) warn(raw []float64, learned bool) {
	say := func(format string, args ...any) { s.warnings = append(s.warnings, fmt.Sprintf(format, args...)) }
	if len(raw) == 0 {
		say("There is no history before the fit: the forecast follows the level.")
		return
	}
	if !learned {
		say("The history of %d steps is too short to learn from: the forecast follows the level and what simple seasons there are.", len(raw))
	}
	if s.periods.Day == 0 {
		say("No season was found, or the history is shorter than one and a half days: nothing is known about what recurs.")
	}
	gaps, low, high := extent(raw)
	switch {
	case gaps == len(raw):
		say("The history holds gaps only.")
	case low == high:
		say("Demand never moved in the history: it is expected to stay.")
	}
	if gaps*10 > len(raw) {
		say("%.0f %% of the history is missing.", 100*float64(gaps)/float64(len(raw)))
	}
	idle := 0
	for _, ok := range s.track.sound {
		if !ok {
			idle++
		}
	}
	if idle > gaps {
		say("%d steps at zero were taken for an outage and not learned from.", idle-gaps)
	}
	for _, name := range s.track.days.Unseen(len(raw)) {
		say("The day %q has not occurred in the history: it is forecast as an ordinary day.", name)
	}
}

// extent counts the gaps of a series, and returns the least and the largest of its other values.
func extent(values []float64) (gaps int, low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if math.IsNaN(v) {
			gaps++
			continue
		}
		low, high = math.Min(low, v), math.Max(high, v)
	}
	return gaps, low, high
}
