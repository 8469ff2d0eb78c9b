package regress

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	huberRounds = 5
	// huberBound is where Huber's loss becomes linear, in standard deviations: the efficiency is 95
	// % for normal errors. madScale turns the median absolute error into a standard deviation.
	huberBound, madScale = 1.345, 1.4826
)

// Huber returns the coefficients that minimise Huber's loss plus a ridge on the standardised
// coefficients (Huber 1964), by least squares that are weighted again in each round. The weights of
// d are changed meanwhile.
func (d *Design) Huber(ridge float64) []float64 {
	s := newSolver(d, ridge)
	beta := make([]float64, d.P)
	given := slices.Clone(d.W)
	defer copy(d.W, given)
	size := make([]float64, d.Rows())
	for range huberRounds {
		s.leastSquares(beta, 1)
		s.residuals(beta)
		for i, r := range s.resid {
			size[i] = math.Abs(r)
		}
		slices.Sort(size)
		bound := huberBound * madScale * max(stats.Quantile(size, 0.5), 1e-9)
		for i, r := range s.resid {
			d.W[i] = given[i] * min(1, bound/math.Max(math.Abs(r), 1e-12))
		}
	}
	return beta
}
