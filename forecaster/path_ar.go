package forecaster

import (
	"math"
	"slices"
)

// An autoregression is a robust ridge regression of a step on the steps before it, and on those around the same time in earlier
// seasons; many steps ahead it feeds on its own forecasts.
type autoregression struct {
	label  string
	linear bool // on demand itself instead of its logarithm
	diff   int  // 0: levels, 1: differences over a day, 2: over a week
	ridge  float64
}

func (m autoregression) name() string { return m.label }

type autoregressionFit struct {
	autoregression
	lags []int
	lag  int // of the differences; 0 for levels
	beta []float64
	mean float64
}

// lagSet returns the lags that n steps can teach.
func lagSet(day, week, n int) []int {
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

func (m autoregression) series(s *pathSeries) []float64 {
	if m.linear {
		return s.raw
	}
	return s.z
}

// arRows bounds the rows an autoregression is fitted on.
const arRows = 4000

func (m autoregression) learn(s *pathSeries, n int) pathFit {
	f := &autoregressionFit{autoregression: m}
	switch m.diff {
	case 1:
		f.lag = s.day
	case 2:
		f.lag = s.week
	}
	if m.diff > 0 && f.lag < 2 {
		return nil
	}
	f.lags = lagSet(s.day, s.week, n-f.lag)
	if len(f.lags) == 0 {
		return nil
	}
	y := m.series(s)
	if f.lag == 0 {
		f.mean = meanKnown(y[:n])
	}
	at := func(i int) float64 {
		if f.lag > 0 {
			return y[i] - y[i-f.lag]
		}
		return y[i] - f.mean
	}
	first := f.lags[len(f.lags)-1] + f.lag
	stride := max(1, (n-first+arRows)/arRows)
	d := design{p: len(f.lags) + 1}
	for i := n - 1; i >= first; i -= stride {
		d.x = append(d.x, 1)
		for _, l := range f.lags {
			d.x = append(d.x, at(i-l))
		}
		d.y = append(d.y, at(i))
		d.w = append(d.w, 1)
	}
	if d.rows() < len(f.lags) {
		return nil
	}
	f.beta = d.robust(m.ridge)
	return f
}

// robust returns the coefficients that minimise Huber's loss plus a ridge on the standardised coefficients.
func (d *design) robust(ridge float64) []float64 {
	n := newton{d: d, a: make([]float64, d.p*d.p), g: make([]float64, d.p), penalty: make([]float64, d.p), r: make([]float64, d.rows())}
	for k, s := range d.scales() {
		n.penalty[k] = ridge * s * s
	}
	n.penalty[0] = 1e-9
	beta := make([]float64, d.p)
	full := slices.Clone(d.w)
	defer copy(d.w, full)
	size := make([]float64, d.rows())
	for range 5 {
		n.solve(beta)
		n.residuals(beta)
		for i, r := range n.r {
			size[i] = math.Abs(r)
		}
		slices.Sort(size)
		bound := 1.345 * 1.4826 * max(quantileSorted(size, 0.5), 1e-9)
		for i, r := range n.r {
			d.w[i] = full[i] * min(1, bound/math.Max(math.Abs(r), 1e-12))
		}
	}
	return beta
}

// solve sets beta to the weighted ridge solution.
func (n *newton) solve(beta []float64) {
	clear(n.a)
	clear(n.g)
	for i := range n.d.rows() {
		row, w := n.d.row(i), n.d.w[i]
		n.accumulate(row, w)
		for k, v := range row {
			n.g[k] += w * n.d.y[i] * v
		}
	}
	for k, v := range n.penalty {
		n.a[k*n.d.p+k] += v + 1e-9
	}
	if solveCholesky(n.a, n.g, n.d.p) {
		copy(beta, n.g)
	}
}

func (f *autoregressionFit) follow(s *pathSeries, n int, out []float64) {
	y := f.series(s)
	back := f.lags[len(f.lags)-1] + f.lag
	buf := make([]float64, min(n, back), min(n, back)+len(out))
	copy(buf, y[n-len(buf):n])
	lo, hi := bounds(y[:n])
	for range out {
		i := len(buf)
		at := func(j int) float64 {
			if j < f.lag || j < 0 {
				return 0
			}
			if f.lag > 0 {
				return buf[j] - buf[j-f.lag]
			}
			return buf[j] - f.mean
		}
		v := f.beta[0]
		for k, l := range f.lags {
			v += f.beta[k+1] * at(i-l)
		}
		if f.lag > 0 {
			v += buf[i-f.lag]
		} else {
			v += f.mean
		}
		buf = append(buf, clamp(v, lo, hi))
	}
	copy(out, buf[len(buf)-len(out):])
	if f.linear {
		for i, v := range out {
			out[i] = math.Log(math.Max(v, 0) + s.soft + 1e-9)
		}
	}
}

// bounds returns the range that a recursion is kept in: that of the history, and half of it more to either side.
func bounds(y []float64) (lo, hi float64) {
	lo, hi = y[0], y[0]
	for _, v := range y {
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	r := 0.5 * (hi - lo)
	return lo - r, hi + r
}
