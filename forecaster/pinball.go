package forecaster

import "math"

// pinball returns the loss of estimating q where y came, at level tau.
func pinball(y, q, tau float64) float64 {
	if y >= q {
		return tau * (y - q)
	}
	return (1 - tau) * (q - y)
}

// A design is a set of weighted rows to regress on.
type design struct {
	p int
	x []float64 // row-major, p columns, the first of which is 1
	y []float64
	w []float64
}

func (d *design) rows() int           { return len(d.y) }
func (d *design) row(i int) []float64 { return d.x[i*d.p : (i+1)*d.p] }

// regress returns the coefficients that minimise the weighted pinball loss at level tau plus a ridge on the standardised
// coefficients, by iteratively reweighted least squares (Hunter and Lange 2000).
func (d *design) regress(tau, ridge float64, iterations int) []float64 {
	n, p := d.rows(), d.p
	beta := make([]float64, p)
	if n == 0 {
		return beta
	}
	scale := d.scales()
	spread := 0.0
	for i, y := range d.y {
		spread += d.w[i] * math.Abs(y)
	}
	spread = spread/float64(n) + 1e-9
	a := make([]float64, p*p)
	b := make([]float64, p)
	for it := range iterations {
		eps := spread * math.Pow(0.5, float64(min(it+2, 7)))
		clear(a)
		clear(b)
		for i := range n {
			row := d.row(i)
			r := d.y[i]
			for k, v := range row {
				r -= v * beta[k]
			}
			h := d.w[i] / (2 * math.Max(math.Abs(r), eps))
			g := h*d.y[i] + d.w[i]*(tau-0.5)
			for k, v := range row {
				hv := h * v
				b[k] += g * v
				ak := a[k*p : k*p+k+1]
				for m := range ak {
					ak[m] += hv * row[m]
				}
			}
		}
		for k := 1; k < p; k++ {
			a[k*p+k] += ridge*scale[k]*scale[k] + 1e-9
		}
		a[0] += 1e-9
		if !solveCholesky(a, b, p) {
			break
		}
		copy(beta, b)
	}
	return beta
}

// scales returns the standard deviation of each column.
func (d *design) scales() []float64 {
	n := float64(d.rows())
	s := make([]float64, d.p)
	for k := range s {
		var sum, sq float64
		for i := range d.rows() {
			v := d.x[i*d.p+k]
			sum += v
			sq += v * v
		}
		m := sum / n
		s[k] = math.Sqrt(math.Max(sq/n-m*m, 1e-6))
	}
	return s
}

// solveCholesky solves a·x = b in place for the symmetric a whose lower triangle is given; b becomes x. It reports false where a
// is not positive definite.
func solveCholesky(a, b []float64, p int) bool {
	for j := range p {
		for k := range j {
			ljk := a[j*p+k]
			for i := j; i < p; i++ {
				a[i*p+j] -= a[i*p+k] * ljk
			}
		}
		d := a[j*p+j]
		if !(d > 0) || math.IsInf(d, 0) {
			return false
		}
		d = math.Sqrt(d)
		for i := j; i < p; i++ {
			a[i*p+j] /= d
		}
	}
	for i := range p {
		for k := range i {
			b[i] -= a[i*p+k] * b[k]
		}
		b[i] /= a[i*p+i]
	}
	for i := p - 1; i >= 0; i-- {
		for k := i + 1; k < p; k++ {
			b[i] -= a[k*p+i] * b[k]
		}
		b[i] /= a[i*p+i]
	}
	return true
}
