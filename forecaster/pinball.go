package forecaster

import (
	"math"
	"slices"
)

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

	at     []int32 // step of each row; nil where nobody asks
	stride int     // steps from one row to the next
}

func (d *design) rows() int           { return len(d.y) }
func (d *design) row(i int) []float64 { return d.x[i*d.p : (i+1)*d.p] }

// regress returns the coefficients that minimise the weighted pinball loss at level tau plus a ridge on the standardised
// coefficients. It starts from near, the solution at another level, or where that is nil from least squares, moved to the level;
// then it takes Newton steps on the loss smoothed over a band around zero that narrows (Fernandes, Guerre and Horta 2021): only
// rows within the band enter the Hessian, which is what makes it fast.
func (d *design) regress(tau, ridge float64, near []float64) []float64 {
	p := d.p
	beta := make([]float64, p)
	if d.rows() == 0 {
		return beta
	}
	n := newton{d: d, tau: tau, a: make([]float64, p*p), g: make([]float64, p), penalty: make([]float64, p), r: make([]float64, d.rows())}
	for k, s := range d.scales() {
		n.penalty[k] = ridge * s * s
	}
	n.penalty[0] = 1e-9
	if near != nil {
		copy(beta, near)
	} else {
		n.leastSquares(beta)
	}
	return n.descend(beta, n.center(beta))
}

// newtonSteps bounds how often the band is narrowed.
const newtonSteps = 9

// descend takes Newton steps from beta over bands that begin with half-width h, and keeps those that lower the loss.
func (n *newton) descend(beta []float64, h float64) []float64 {
	const slack = 1 + 1e-4
	best, least := slices.Clone(beta), n.residuals(beta)
	shrink := 0.7
	for it := range newtonSteps {
		n.step(beta, max(h*shrink, 1e-6))
		loss := n.residuals(beta)
		for back := 0; back < 3 && !(loss <= least*slack); back++ {
			for k := range beta {
				beta[k] = best[k] + 0.3*(beta[k]-best[k])
			}
			loss = n.residuals(beta)
		}
		if !(loss <= least*slack) {
			copy(beta, best)
			n.residuals(beta)
		} else {
			done := it > 3 && least-loss < 2e-4*least
			copy(best, beta)
			least = min(least, loss)
			if done {
				break
			}
		}
		shrink = max(0.12, shrink*0.65)
	}
	return best
}

// A newton is the working space of a regression.
type newton struct {
	d       *design
	tau     float64
	penalty []float64
	a, g, r []float64
}

// accumulate adds weight·row·rowᵀ to the lower triangle of a.
func (n *newton) accumulate(row []float64, weight float64) {
	p := n.d.p
	for k, v := range row {
		hv := weight * v
		ak := n.a[k*p : k*p+k+1]
		for m, u := range row[:k+1] {
			ak[m] += hv * u
		}
	}
}

func (n *newton) leastSquares(beta []float64) {
	clear(n.a)
	clear(n.g)
	stride := max(1, n.d.rows()/2500)
	for i := 0; i < n.d.rows(); i += stride {
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

// center moves the intercept to the residuals' quantile and returns half the width of a band around it.
func (n *newton) center(beta []float64) float64 {
	n.residuals(beta)
	sorted := slices.Clone(n.r)
	slices.Sort(sorted)
	at := quantileSorted(sorted, n.tau)
	beta[0] += at
	return math.Max(quantileSorted(sorted, min(1, n.tau+0.1))-quantileSorted(sorted, max(0, n.tau-0.25)), 1e-6)
}

// residuals computes them and returns the penalised loss.
func (n *newton) residuals(beta []float64) float64 {
	loss := 0.0
	for k, v := range n.penalty {
		loss += 0.5 * v * beta[k] * beta[k]
	}
	for i := range n.r {
		r := n.d.y[i]
		for k, v := range n.d.row(i) {
			r -= v * beta[k]
		}
		n.r[i] = r
		loss += n.d.w[i] * pinball(r, 0, n.tau)
	}
	return loss
}

// step takes one Newton step on the loss smoothed over [−h, h]; residuals must be those of beta.
func (n *newton) step(beta []float64, h float64) {
	clear(n.a)
	for k := range n.g {
		n.g[k] = -n.penalty[k] * beta[k]
		n.a[k*n.d.p+k] = n.penalty[k] + 1e-9
	}
	n.g[0] = 0
	for i, r := range n.r {
		row, w := n.d.row(i), n.d.w[i]
		slope := n.tau
		if r <= -h {
			slope = n.tau - 1
		} else if r < h {
			slope = n.tau - 0.5 + 0.5*r/h
			n.accumulate(row, w*0.5/h)
		}
		slope *= w
		for k, v := range row {
			n.g[k] += slope * v
		}
	}
	// A slack keeps the step finite where few rows lie within the band.
	for k := range n.d.p {
		n.a[k*n.d.p+k] *= 1.02
	}
	if !solveCholesky(n.a, n.g, n.d.p) {
		return
	}
	for k, v := range n.g {
		beta[k] += v
	}
}

// quantileSorted returns the q-quantile of ascending values, interpolated.
func quantileSorted(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	at := clamp(q, 0, 1) * float64(len(v)-1)
	i := int(at)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	f := at - float64(i)
	return v[i]*(1-f) + v[i+1]*f
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
