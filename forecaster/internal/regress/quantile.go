package regress

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// Quantile returns the coefficients that minimise the weighted pinball loss at level tau plus a
// ridge on the standardised coefficients. It starts from near, the solution at another level or on
// other rows; when near is nil, from least squares with the intercept moved to the level.
//
// It takes Newton steps on a smooth version of the loss, whose kink at zero is replaced by a
// parabola over a band that narrows (Fernandes, Guerre and Horta 2021). Only rows within the band
// enter the Hessian, which makes it fast.
func (d *Design) Quantile(tau, ridge float64, near []float64) []float64 {
	beta := make([]float64, d.P)
	if d.Rows() == 0 {
		return beta
	}
	s := newSolver(d, ridge)
	s.tau = tau
	if near != nil {
		copy(beta, near)
	} else {
		s.leastSquares(beta, max(1, d.Rows()/startRows))
	}
	return s.descend(beta, s.center(beta))
}

// Correction is Quantile for what an estimate from elsewhere leaves to explain. The ridge holds all
// coefficients near zero, the intercept too, until many rows speak against it.
func (d *Design) Correction(tau, ridge float64) []float64 {
	beta := make([]float64, d.P)
	if d.Rows() == 0 {
		return beta
	}
	s := newSolver(d, ridge)
	s.tau = tau
	for k, v := range s.penalty {
		s.penalty[k] = max(v, ridge*leastDeviation*leastDeviation)
	}
	s.penalty[0] = ridge * interceptRidge
	band := s.center(beta)
	beta[0] = 0
	return s.descend(beta, band)
}

const (
	// leastDeviation is the least standard deviation that a Correction takes a column to have. In a
	// few rows a column may hardly vary, and say nothing of what it does later.
	leastDeviation = 0.1
	// interceptRidge is the ridge of a Correction's intercept, in units of that of the others.
	interceptRidge = 0.05
)

const (
	// startRows is about how many rows the least squares look at that a regression starts from.
	startRows = 2500
	// newtonSteps bounds how often the band is narrowed.
	newtonSteps = 9
	// atOnce is how many rows are looked at together. A processor adds up several sums in the time of
	// one.
	atOnce = 4
)

// A solver is the working space of a regression.
type solver struct {
	d        *Design
	tau      float64
	penalty  []float64 // ridge of each coefficient
	hessian  []float64 // P × P, of which the lower triangle is used
	gradient []float64
	resid    []float64

	rows    [atOnce][]float64 // the first pending ones are to be added to the Hessian, with their weights
	weights [atOnce]float64
	pending int
}

// newSolver penalises all coefficients but the intercept, which has just enough of a ridge to keep
// the matrix positive definite.
func newSolver(d *Design, ridge float64) *solver {
	p := d.P
	s := &solver{
		d: d, penalty: make([]float64, p), hessian: make([]float64, p*p), gradient: make([]float64, p),
		resid: make([]float64, d.Rows()),
	}
	for k, dev := range d.deviations() {
		s.penalty[k] = ridge * dev * dev
	}
	s.penalty[0] = 1e-9
	return s
}

// descend takes Newton steps from beta over bands that begin with half-width h. It returns the
// coefficients with the smallest loss.
func (s *solver) descend(beta []float64, h float64) []float64 {
	const slack = 1 + 1e-4
	best, least := slices.Clone(beta), s.residuals(beta)
	shrink := 0.7
	for it := range newtonSteps {
		s.step(beta, max(h*shrink, 1e-6))
		loss := s.residuals(beta)
		for back := 0; back < 3 && !(loss <= least*slack); back++ {
			for k := range beta {
				beta[k] = best[k] + 0.3*(beta[k]-best[k])
			}
			loss = s.residuals(beta)
		}
		if !(loss <= least*slack) {
			copy(beta, best)
			s.residuals(beta)
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

// accumulate adds weight·row·rowᵀ of row i to the lower triangle of the Hessian. It waits until there
// are a few rows, or until flush: one pass over the Hessian then serves all of them.
func (s *solver) accumulate(i int, weight float64) {
	s.rows[s.pending], s.weights[s.pending] = s.d.Row(i), weight
	if s.pending++; s.pending == atOnce {
		s.pending = 0
		s.addRows()
	}
}

// addRows adds the pending rows, one after the other in each sum.
func (s *solver) addRows() {
	p, w := s.d.P, s.weights
	for k := range p {
		line := s.hessian[k*p : k*p+k+1]
		a, b, c, d := s.rows[0][:k+1], s.rows[1][:k+1], s.rows[2][:k+1], s.rows[3][:k+1]
		wa, wb, wc, wd := w[0]*a[k], w[1]*b[k], w[2]*c[k], w[3]*d[k]
		for m, v := range line {
			line[m] = v + wa*a[m] + wb*b[m] + wc*c[m] + wd*d[m]
		}
	}
}

// flush adds the rows that accumulate still holds.
func (s *solver) flush() {
	p := s.d.P
	for j, row := range s.rows[:s.pending] {
		for k, v := range row {
			hv := s.weights[j] * v
			line := s.hessian[k*p : k*p+k+1]
			for m, u := range row[:k+1] {
				line[m] += hv * u
			}
		}
	}
	s.pending = 0
}

// leastSquares sets beta to the weighted ridge solution on every stride-th row. It leaves beta as
// it is when there is none.
func (s *solver) leastSquares(beta []float64, stride int) {
	clear(s.hessian)
	clear(s.gradient)
	for i := 0; i < s.d.Rows(); i += stride {
		row, w := s.d.Row(i), s.d.W[i]
		s.accumulate(i, w)
		for k, v := range row {
			s.gradient[k] += w * s.d.Y[i] * v
		}
	}
	s.flush()
	for k, v := range s.penalty {
		s.hessian[k*s.d.P+k] += v + 1e-9
	}
	if solveCholesky(s.hessian, s.gradient, s.d.P) {
		copy(beta, s.gradient)
	}
}

// center moves the intercept to the tau-quantile of the residuals. It returns half the width of a
// band around it.
func (s *solver) center(beta []float64) float64 {
	s.residuals(beta)
	sorted := slices.Clone(s.resid)
	slices.Sort(sorted)
	at := stats.Quantile(sorted, s.tau)
	beta[0] += at
	return math.Max(stats.Quantile(sorted, min(1, s.tau+0.1))-stats.Quantile(sorted, max(0, s.tau-0.25)), 1e-6)
}

// residuals computes the residuals of beta and returns the penalised loss.
func (s *solver) residuals(beta []float64) float64 {
	loss := 0.0
	for k, v := range s.penalty {
		loss += 0.5 * v * beta[k] * beta[k]
	}
	s.subtract(beta)
	for i, r := range s.resid {
		loss += s.d.W[i] * stats.Pinball(r, 0, s.tau)
	}
	return loss
}

// subtract sets the residuals to what beta leaves to explain.
func (s *solver) subtract(beta []float64) {
	p, x, n := s.d.P, s.d.X, len(s.resid)
	whole := n / atOnce * atOnce
	for i := 0; i < whole; i += atOnce {
		a, b, c, d := x[i*p:][:p], x[(i+1)*p:][:p], x[(i+2)*p:][:p], x[(i+3)*p:][:p]
		ra, rb, rc, rd := s.d.Y[i], s.d.Y[i+1], s.d.Y[i+2], s.d.Y[i+3]
		for k, v := range beta[:p] {
			ra -= a[k] * v
			rb -= b[k] * v
			rc -= c[k] * v
			rd -= d[k] * v
		}
		s.resid[i], s.resid[i+1], s.resid[i+2], s.resid[i+3] = ra, rb, rc, rd
	}
	for i := whole; i < n; i++ {
		s.resid[i] = s.d.Y[i]
		for k, v := range s.d.Row(i) {
			s.resid[i] -= v * beta[k]
		}
	}
}

// step takes one Newton step on the loss smoothed over [−h, h]. The residuals must be those of
// beta.
func (s *solver) step(beta []float64, h float64) {
	clear(s.hessian)
	for k := range s.gradient {
		s.gradient[k] = -s.penalty[k] * beta[k]
		s.hessian[k*s.d.P+k] = s.penalty[k] + 1e-9
	}
	s.gradient[0] = 0
	for i, r := range s.resid {
		row, w := s.d.Row(i), s.d.W[i]
		slope := s.tau
		if r <= -h {
			slope = s.tau - 1
		} else if r < h {
			slope = s.tau - 0.5 + 0.5*r/h
			s.accumulate(i, w*0.5/h)
		}
		slope *= w
		for k, v := range row {
			s.gradient[k] += slope * v
		}
	}
	s.flush()
	// Damping keeps the step finite when few rows lie within the band.
	for k := range s.d.P {
		s.hessian[k*s.d.P+k] *= 1.02
	}
	if !solveCholesky(s.hessian, s.gradient, s.d.P) {
		return
	}
	for k, v := range s.gradient {
		beta[k] += v
	}
}
