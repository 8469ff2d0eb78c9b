package forecaster

import "math"

// A smoothing is exponential smoothing, additive on the log scale, with a daily and a weekly season and an autoregressive error
// (Taylor 2003): the classic for demand by the hour.
type smoothing struct{ label string }

func (m smoothing) name() string { return m.label }

// smoothingRates are the shares of an error that move the level, the daily and the weekly season, and how much of it lasts.
type smoothingRates struct{ level, day, week, error float64 }

type smoothingFit struct{ rates smoothingRates }

func (m smoothing) learn(s *pathSeries, n int) pathFit {
	if s.day < 2 || n < 3*s.day || s.day > 400 {
		return nil
	}
	best := smoothingRates{0.02, 0.1, 0.1, 0.7}
	least := m.loss(s, n, best)
	for range 2 {
		for k := range 4 {
			for _, v := range [][]float64{{0.001, 0.01, 0.05, 0.15, 0.4}, {0, 0.03, 0.1, 0.25, 0.5}, {0, 0.05, 0.15, 0.3, 0.5}, {0, 0.4, 0.7, 0.9}}[k] {
				try := best
				*[]*float64{&try.level, &try.day, &try.week, &try.error}[k] = v
				if l := m.loss(s, n, try); l < least {
					least, best = l, try
				}
			}
		}
	}
	return smoothingFit{best}
}

// loss is the mean absolute error of one-step forecasts past the first seasons.
func (m smoothing) loss(s *pathSeries, n int, r smoothingRates) float64 {
	st := newSmoothState(s, n)
	skip := min(n/3, max(2*s.day, s.week))
	sum := 0.0
	for i := range n {
		e := st.advance(s.z[i], i, r)
		if i >= skip {
			sum += math.Abs(e)
		}
	}
	return sum
}

// smoothState is the level and the seasons while a series is passed through.
type smoothState struct {
	level, error float64
	day, week    []float64
}

func newSmoothState(s *pathSeries, n int) *smoothState {
	st := &smoothState{day: make([]float64, s.day)}
	if s.week > 0 && n >= 2*s.week {
		st.week = make([]float64, s.week)
	}
	span := min(n, max(s.day, (n/2)/s.day*s.day))
	if st.week != nil {
		span = s.week
	}
	st.level = meanKnown(s.z[:span])
	count := make([]float64, s.day)
	for i, v := range s.z[:span] {
		st.day[i%s.day] += v - st.level
		count[i%s.day]++
	}
	for i, c := range count {
		if c > 0 {
			st.day[i] /= c
		}
	}
	if st.week != nil {
		for i := range st.week {
			st.week[i] = 0.7 * (s.z[i] - st.level - st.day[i%s.day])
		}
	}
	return st
}

func (st *smoothState) season(i int) float64 {
	v := st.day[i%len(st.day)]
	if st.week != nil {
		v += st.week[i%len(st.week)]
	}
	return v
}

// advance takes step i into account and returns the error of its forecast.
func (st *smoothState) advance(z float64, i int, r smoothingRates) float64 {
	plain := z - st.level - st.season(i)
	e := plain - r.error*st.error
	st.level += r.level * e
	st.day[i%len(st.day)] += r.day * e
	if st.week != nil {
		st.week[i%len(st.week)] += r.week * e
	}
	st.error = plain
	return e
}

func (f smoothingFit) follow(s *pathSeries, n int, out []float64) {
	st := newSmoothState(s, n)
	for i := range n {
		st.advance(s.z[i], i, f.rates)
	}
	e := st.error
	for i := range out {
		e *= f.rates.error
		out[i] = st.level + st.season(n+i) + e
	}
}
