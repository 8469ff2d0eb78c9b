package manystep

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A harmonicRegression explains the log of demand by sines and cosines of the day and of the week,
// and its errors by an autoregression (dynamic harmonic regression: Hyndman and Athanasopoulos
// 2021, section 10.5).
type harmonicRegression struct {
	label     string
	day, week int // number of harmonics
}

func (m harmonicRegression) name() string { return m.label }

type harmonicFit struct {
	harmonicRegression
	beta   []float64
	errors [3]float64 // coefficients of the errors one step, two steps and one day before
}

// maxHarmonicError bounds the forecast error, on the log scale.
const maxHarmonicError = 2.0

// fill writes the columns of step i.
func (m harmonicRegression) fill(h *history, i int, out []float64) {
	k := 0
	out[k] = 1
	for _, s := range []struct{ season, order int }{{h.day, m.day}, {h.week, m.week}} {
		if s.season < 2 {
			continue
		}
		a := 2 * math.Pi * float64((i+h.Offset(i))%s.season) / float64(s.season)
		for j := 1; j <= s.order; j++ {
			sin, cos := math.Sincos(float64(j) * a)
			out[k+1], out[k+2] = sin, cos
			k += 2
		}
	}
}

// size returns the number of columns.
func (m harmonicRegression) size(h *history) int {
	p := 1
	if h.day >= 2 {
		p += 2 * m.day
	}
	if h.week >= 2 {
		p += 2 * m.week
	}
	return p
}

func (m harmonicRegression) fit(h *history, n int) fitted {
	m.day = min(m.day, (h.day-1)/2)
	if h.day < 4 || n < 2*h.day {
		return nil
	}
	f := &harmonicFit{harmonicRegression: m}
	stride := max(1, (n+maxRows)/maxRows)
	d := regress.Design{P: m.size(h)}
	halfLife := math.Max(14*float64(h.day), float64(h.week)*3)
	for i := n - 1; i >= 0; i -= stride {
		row := len(d.X)
		d.X = append(d.X, make([]float64, d.P)...)
		m.fill(h, i, d.X[row:])
		d.Y = append(d.Y, h.logs[i])
		d.W = append(d.W, math.Exp2(-float64(n-i)/halfLife))
	}
	f.beta = d.Huber(0.5)
	f.fitErrors(h, n)
	return f
}

// fitErrors fits the autoregression of the residuals.
func (f *harmonicFit) fitErrors(h *history, n int) {
	e := f.residuals(h, max(0, n-maxRows), n)
	d := regress.Design{P: 4}
	for i := h.day; i < len(e); i++ {
		d.X = append(d.X, 1, e[i-1], e[max(0, i-2)], e[i-h.day])
		d.Y = append(d.Y, e[i])
		d.W = append(d.W, 1)
	}
	if d.Rows() < 10 {
		return
	}
	b := d.Huber(1)
	copy(f.errors[:], b[1:])
}

// residuals returns what the harmonics leave of the steps [from, to).
func (f *harmonicFit) residuals(h *history, from, to int) []float64 {
	row := make([]float64, f.size(h))
	e := make([]float64, 0, to-from)
	for i := from; i < to; i++ {
		f.fill(h, i, row)
		v := h.logs[i]
		for k, x := range row {
			v -= x * f.beta[k]
		}
		e = append(e, v)
	}
	return e
}

func (f *harmonicFit) forecast(h *history, n int, out []float64) {
	e := f.residuals(h, max(0, n-h.day-2), n)
	row := make([]float64, f.size(h))
	for i := range out {
		k := len(e)
		v := 0.0
		if k >= h.day && k >= 2 {
			v = f.errors[0]*e[k-1] + f.errors[1]*e[k-2] + f.errors[2]*e[k-h.day]
		}
		e = append(e, stats.Clamp(v, -maxHarmonicError, maxHarmonicError))
		f.fill(h, n+i, row)
		out[i] = e[k]
		for j, x := range row {
			out[i] += x * f.beta[j]
		}
	}
}
