package manystep

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// A smoothing is exponential smoothing with a daily and a weekly season and an autoregressive error
// (Taylor 2003), additive on the log scale: the classic for demand by the hour.
type smoothing struct{ label string }

func (m smoothing) name() string { return m.label }

// maxSmoothingDay is the longest day, in steps, that is smoothed: a season is one parameter a step.
const maxSmoothingDay = 400

// smoothingRates are the shares of an error that move the level, the daily and the weekly season,
// and the share of it that remains a step later.
type smoothingRates struct{ level, day, week, error float64 }

type smoothingFit struct{ rates smoothingRates }

func (m smoothing) fit(h *history, n int) fitted {
	if h.day < 2 || n < 3*h.day || h.day > maxSmoothingDay {
		return nil
	}
	best := smoothingRates{0.02, 0.1, 0.1, 0.7}
	least := m.loss(h, n, best)
	grid := [...][]float64{
		{0.001, 0.01, 0.05, 0.15, 0.4}, {0, 0.03, 0.1, 0.25, 0.5}, {0, 0.05, 0.15, 0.3, 0.5}, {0, 0.4, 0.7, 0.9},
	}
	for range 2 { // one rate after the other, twice
		for k, values := range grid {
			for _, v := range values {
				try := best
				*[]*float64{&try.level, &try.day, &try.week, &try.error}[k] = v
				if l := m.loss(h, n, try); l < least {
					least, best = l, try
				}
			}
		}
	}
	return smoothingFit{best}
}

// loss is the sum of the absolute errors of one-step forecasts after the first seasons.
func (m smoothing) loss(h *history, n int, r smoothingRates) float64 {
	st := newSmoothingState(h, n)
	skip := min(n/3, max(2*h.day, h.week))
	sum := 0.0
	for i := range n {
		e := st.update(h.logs[i], i, r)
		if i >= skip {
			sum += math.Abs(e)
		}
	}
	return sum
}

// A smoothingState is the level and the seasons at one step of the series.
type smoothingState struct {
	level, error float64
	day, week    []float64 // week is nil when there is none
}

// newSmoothingState starts from the means of the first seasons of a history of n steps.
func newSmoothingState(h *history, n int) *smoothingState {
	st := &smoothingState{day: make([]float64, h.day)}
	if h.week > 0 && n >= 2*h.week {
		st.week = make([]float64, h.week)
	}
	span := min(n, max(h.day, (n/2)/h.day*h.day))
	if st.week != nil {
		span = h.week
	}
	st.level = stats.MeanKnown(h.logs[:span])
	count := make([]float64, h.day)
	for i, v := range h.logs[:span] {
		st.day[i%h.day] += v - st.level
		count[i%h.day]++
	}
	for i, c := range count {
		if c > 0 {
			st.day[i] /= c
		}
	}
	if st.week != nil {
		for i := range st.week {
			st.week[i] = 0.7 * (h.logs[i] - st.level - st.day[i%h.day])
		}
	}
	return st
}

// season returns the sum of the seasons at step i.
func (st *smoothingState) season(i int) float64 {
	v := st.day[i%len(st.day)]
	if st.week != nil {
		v += st.week[i%len(st.week)]
	}
	return v
}

// update moves level and seasons by step i, at which z was observed. It returns the error of the
// forecast of that step.
func (st *smoothingState) update(z float64, i int, r smoothingRates) float64 {
	deviation := z - st.level - st.season(i)
	e := deviation - r.error*st.error
	st.level += r.level * e
	st.day[i%len(st.day)] += r.day * e
	if st.week != nil {
		st.week[i%len(st.week)] += r.week * e
	}
	st.error = deviation
	return e
}

func (f smoothingFit) forecast(h *history, n int, out []float64) {
	st := newSmoothingState(h, n)
	for i := range n {
		st.update(h.logs[i], i, f.rates)
	}
	e := st.error
	for i := range out {
		e *= f.rates.error
		out[i] = st.level + st.season(n+i) + e
	}
}
