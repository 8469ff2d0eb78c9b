package manystep

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/calendar"
	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A model forecasts a whole series many steps ahead.
type model interface {
	name() string
	// fit fits to the first n steps of the history; nil when they are too few.
	fit(h *history, n int) fitted
}

// A fitted model forecasts from any step of the history that it was fitted to, or of a longer one.
type fitted interface {
	// forecast writes the forecast of the len(out) steps from step n on, on the log scale. It looks
	// at the steps before n only.
	forecast(h *history, n int, out []float64)
}

// A history is a series whose gaps are filled, with its seasons.
type history struct {
	calendar.Clock
	raw       []float64 // demand over its mean
	logs      []float64 // log(raw + logOffset)
	known     []bool    // false where a gap was filled: no forecast is scored there
	mean      float64
	logOffset float64
	day, week int // seasons, in steps; zero for none
}

const (
	// logOffset is the share of mean demand that is added before a logarithm is taken.
	logOffset = 0.002
	// positive is the share of the mean above which all demand must lie for no offset to be needed.
	positive = 0.02
)

// newHistory fills the gaps (NaN) of values and takes logarithms.
func newHistory(clock calendar.Clock, values []float64, periods season.Periods) *history {
	h := &history{
		Clock: clock, day: periods.Day, week: periods.Week, logOffset: logOffset, mean: stats.MeanKnown(values),
	}
	if h.mean <= 0 {
		h.mean = 1
	}
	h.known = make([]bool, len(values))
	for i, v := range values {
		h.known[i] = !math.IsNaN(v)
	}
	values = filled(values, h.day, h.week)
	least := math.Inf(1)
	for _, v := range values {
		least = math.Min(least, v)
	}
	if least > positive*h.mean {
		h.logOffset = 0
	}
	for _, v := range values {
		h.raw = append(h.raw, v/h.mean)
		h.logs = append(h.logs, math.Log(v/h.mean+h.logOffset))
	}
	return h
}

// top returns the largest demand over the mean; zero without a history.
func (h *history) top() float64 {
	largest := 0.0
	for _, v := range h.raw {
		largest = math.Max(largest, v)
	}
	return largest
}

// shortGap is the part of a day up to which a gap is filled with the last value.
const shortGap = 24

// filled returns values without gaps. A short gap takes the last value. In a long one a value that
// is held would be learned as a night, or as a peak, that lasts all day: there the same step of the
// nearest season stands in.
func filled(values []float64, day, week int) []float64 {
	out := make([]float64, len(values))
	last := 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			last = v
			break
		}
	}
	for i := 0; i < len(values); {
		if !math.IsNaN(values[i]) {
			last, out[i] = values[i], values[i]
			i++
			continue
		}
		end := i
		for end < len(values) && math.IsNaN(values[end]) {
			end++
		}
		long := day > 0 && end-i > day/shortGap
		for ; i < end; i++ {
			out[i] = last
			if long {
				out[i] = nearestSeason(values, i, day, week, last)
			}
		}
	}
	return out
}

// nearestSeason returns the value at the time of step i in the nearest season that has one: weeks
// before days, up to three to either side. It returns otherwise when none has.
func nearestSeason(values []float64, i, day, week int, otherwise float64) float64 {
	for _, period := range [...]int{week, day} {
		if period == 0 {
			continue
		}
		for k := 1; k <= 3; k++ {
			for _, j := range [...]int{i - k*period, i + k*period} {
				if j >= 0 && j < len(values) && !math.IsNaN(values[j]) {
					return values[j]
				}
			}
		}
	}
	return otherwise
}
