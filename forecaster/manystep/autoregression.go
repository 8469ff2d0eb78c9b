package manystep

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// An autoregression is a robust ridge regression of a step on the steps before it, and on those
// around the same time in earlier seasons. Many steps ahead it uses its own forecasts as lags.
type autoregression struct {
	label      string
	linear     bool // of demand itself instead of its logarithm
	difference difference
	ridge      float64
}

// A difference says what an autoregression is of.
type difference int

const (
	levels difference = iota // the values, less their mean
	byDay                    // the change from the day before
	byWeek                   // the change from the week before
)

func (m autoregression) name() string { return m.label }

type autoregressionFit struct {
	autoregression
	lags     []int
	interval int // of the differences, in steps; 0 for levels
	beta     []float64
	mean     float64
}

// lagsFor returns the lags that n steps suffice to learn, ascending.
func lagsFor(day, week, n int) []int {
	lags := []int{1, 2, 3, 4}
	if day > 4 {
		lags = append(lags, day-2, day-1, day, day+1, day+2)
		for k := 2; k <= 6; k++ {
			lags = append(lags, k*day)
		}
		lags = append(lags, 2*day+1)
	}
	if week > 4 {
		lags = append(lags, week-1, week, week+1, week+day, 2*week, 2*week+1)
	}
	slices.Sort(lags)
	lags = slices.Compact(lags)
	kept := lags[:0]
	for _, l := range lags {
		if l > 0 && n-l > max(4*len(lags), n/4) {
			kept = append(kept, l)
		}
	}
	return kept
}

// values returns the series on the model's scale.
func (m autoregression) values(h *history) []float64 {
	if m.linear {
		return h.raw
	}
	return h.logs
}

// maxRows bounds the rows that a regression is fitted to.
const maxRows = 4000

func (m autoregression) fit(h *history, n int) fitted {
	f := &autoregressionFit{autoregression: m}
	switch m.difference {
	case byDay:
		f.interval = h.day
	case byWeek:
		f.interval = h.week
	}
	if m.difference != levels && f.interval < 2 {
		return nil
	}
	f.lags = lagsFor(h.day, h.week, n-f.interval)
	if len(f.lags) == 0 {
		return nil
	}
	y := m.values(h)
	if f.interval == 0 {
		f.mean = stats.MeanKnown(y[:n])
	}
	first := f.lags[len(f.lags)-1] + f.interval
	stride := max(1, (n-first+maxRows)/maxRows)
	d := regress.Design{P: len(f.lags) + 1}
	for i := n - 1; i >= first; i -= stride {
		d.X = append(d.X, 1)
		for _, l := range f.lags {
			d.X = append(d.X, f.at(y, i-l))
		}
		d.Y = append(d.Y, f.at(y, i))
		d.W = append(d.W, 1)
	}
	if d.Rows() < len(f.lags) {
		return nil
	}
	f.beta = d.Huber(m.ridge)
	return f
}

// at returns what the autoregression is of, at step i of y.
func (f *autoregressionFit) at(y []float64, i int) float64 {
	if f.interval > 0 {
		return y[i] - y[i-f.interval]
	}
	return y[i] - f.mean
}

func (f *autoregressionFit) forecast(h *history, n int, out []float64) {
	y := f.values(h)
	back := f.lags[len(f.lags)-1] + f.interval
	buf := make([]float64, min(n, back), min(n, back)+len(out))
	copy(buf, y[n-len(buf):n])
	lo, hi := bounds(y[:n])
	for range out {
		i := len(buf)
		v := f.beta[0]
		for k, l := range f.lags {
			if j := i - l; j >= f.interval && j >= 0 {
				v += f.beta[k+1] * f.at(buf, j)
			}
		}
		if f.interval > 0 {
			v += buf[i-f.interval]
		} else {
			v += f.mean
		}
		buf = append(buf, stats.Clamp(v, lo, hi))
	}
	copy(out, buf[len(buf)-len(out):])
	if f.linear {
		for i, v := range out {
			out[i] = math.Log(math.Max(v, 0) + h.logOffset + 1e-9)
		}
	}
}

// bounds returns the range that forecasts are kept in: that of y, and half of it more to either
// side.
func bounds(y []float64) (lo, hi float64) {
	lo, hi = y[0], y[0]
	for _, v := range y {
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	r := 0.5 * (hi - lo)
	return lo - r, hi + r
}
