package forecaster

import "math"

// A harmonic regression explains the log of demand by sines and cosines of the day and of the week, and its errors by an
// autoregression.
type harmonicRegression struct {
	label     string
	day, week int // orders
}

func (m harmonicRegression) name() string { return m.label }

type harmonicFit struct {
	harmonicRegression
	beta  []float64
	error [3]float64 // of the errors one step, two steps and one day before
}

func (m harmonicRegression) fill(s *pathSeries, i int, out []float64) {
	k := 0
	out[k] = 1
	for _, h := range []struct{ season, order int }{{s.day, m.day}, {s.week, m.week}} {
		if h.season < 2 {
			continue
		}
		a := 2 * math.Pi * float64((i+s.offset(i))%h.season) / float64(h.season)
		for j := 1; j <= h.order; j++ {
			sn, cs := math.Sincos(float64(j) * a)
			out[k+1], out[k+2] = sn, cs
			k += 2
		}
	}
}

func (m harmonicRegression) size(s *pathSeries) int {
	p := 1
	if s.day >= 2 {
		p += 2 * m.day
	}
	if s.week >= 2 {
		p += 2 * m.week
	}
	return p
}

func (m harmonicRegression) learn(s *pathSeries, n int) pathFit {
	m.day = min(m.day, (s.day-1)/2)
	if s.day < 4 || n < 2*s.day {
		return nil
	}
	f := &harmonicFit{harmonicRegression: m}
	stride := max(1, (n+arRows)/arRows)
	d := design{p: m.size(s)}
	half := math.Max(14*float64(s.day), float64(s.week)*3)
	for i := n - 1; i >= 0; i -= stride {
		row := len(d.x)
		d.x = append(d.x, make([]float64, d.p)...)
		m.fill(s, i, d.x[row:])
		d.y = append(d.y, s.z[i])
		d.w = append(d.w, math.Exp2(-float64(n-i)/half))
	}
	f.beta = d.robust(0.5)
	f.learnErrors(s, n)
	return f
}

// learnErrors fits the autoregression of what the harmonics leave.
func (f *harmonicFit) learnErrors(s *pathSeries, n int) {
	from := max(0, n-arRows)
	e := f.errors(s, from, n)
	d := design{p: 4}
	for i := s.day; i < len(e); i++ {
		d.x = append(d.x, 1, e[i-1], e[max(0, i-2)], e[i-s.day])
		d.y = append(d.y, e[i])
		d.w = append(d.w, 1)
	}
	if d.rows() < 10 {
		return
	}
	b := d.robust(1)
	copy(f.error[:], b[1:])
}

func (f *harmonicFit) errors(s *pathSeries, from, to int) []float64 {
	row := make([]float64, f.size(s))
	e := make([]float64, 0, to-from)
	for i := from; i < to; i++ {
		f.fill(s, i, row)
		v := s.z[i]
		for k, x := range row {
			v -= x * f.beta[k]
		}
		e = append(e, v)
	}
	return e
}

func (f *harmonicFit) follow(s *pathSeries, n int, out []float64) {
	e := f.errors(s, max(0, n-s.day-2), n)
	row := make([]float64, f.size(s))
	for i := range out {
		k := len(e)
		v := 0.0
		if k >= s.day && k >= 2 {
			v = f.error[0]*e[k-1] + f.error[1]*e[k-2] + f.error[2]*e[k-s.day]
		}
		e = append(e, clamp(v, -reach, reach))
		f.fill(s, n+i, row)
		out[i] = e[k]
		for j, x := range row {
			out[i] += x * f.beta[j]
		}
	}
}
