package forecaster

import (
	"fmt"
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
)

// warn collects what a reader of the forecast should know about its history.
func (s *state) warn(raw []float64) {
	add := func(format string, args ...any) { s.warnings = append(s.warnings, fmt.Sprintf(format, args...)) }
	if len(raw) == 0 {
		add("There is no history before the fit: the forecast follows the level.")
		return
	}
	if !s.served.set.fitted {
		add("The history of %d steps is too short to fit models: the forecast follows the level and simple seasons.",
			len(raw))
	}
	if s.periods.Day == 0 {
		add("No season is known: the history is shorter than one and a half days, or no period repeats in it.")
	}
	gaps, low, high := extent(raw)
	switch {
	case gaps == len(raw):
		add("The history holds gaps only.")
	case low == high:
		add("Demand is constant in the history: it is expected to stay so.")
	}
	if gaps*10 > len(raw) {
		add("%.0f %% of the history is missing.", 100*float64(gaps)/float64(len(raw)))
	}
	unobserved := s.history.Unobserved()
	if unobserved > gaps {
		add("%d steps at zero count as an outage: no model learns from them.", unobserved-gaps)
	}
	for _, name := range s.history.Days.Unseen(len(raw)) {
		add("The day %q has not occurred in the history: it is forecast as an ordinary day.", name)
	}
}

// extent counts the gaps of a series, and returns the least and the largest of its other values.
func extent(values []float64) (gaps int, least, largest float64) {
	least, largest = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if math.IsNaN(v) {
			gaps++
			continue
		}
		least, largest = math.Min(least, v), math.Max(largest, v)
	}
	return gaps, least, largest
}

// Absurd returns the steps of a series whose values are not to be believed: single samples, or two in
// a row, that are many times what was usual within a day, as after the reset of a counter or a
// mistaken unit. Demand that stays there is believed.
func Absurd(step time.Duration, values []float64) []int {
	_, absurd, _ := demand.Screened(step, values)
	return absurd
}

// Plain reports whether the newest known value of a series is certainly not one that [Absurd]
// returns. It costs little. False says nothing.
func Plain(step time.Duration, values []float64) bool { return demand.Plain(step, values) }

// maxNamed is how many absurd samples a warning names.
const maxNamed = 3

// warnAbsurd describes absurd samples of a history that begins at start.
func warnAbsurd(start time.Time, step time.Duration, raw []float64, absurd []int) string {
	var named []string
	for _, i := range absurd[:min(len(absurd), maxNamed)] {
		named = append(named, fmt.Sprintf("%.4g at %s", raw[i], demand.After(start, step, i).UTC().Format(time.RFC3339)))
	}
	if len(absurd) > maxNamed {
		named = append(named, "…")
	}
	what := "1 sample is far above all others and counts as a gap"
	if len(absurd) > 1 {
		what = fmt.Sprintf("%d samples are far above all others and count as gaps", len(absurd))
	}
	return what + ": " + strings.Join(named, ", ") + "."
}
