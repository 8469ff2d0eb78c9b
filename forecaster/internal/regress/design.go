// Package regress fits linear models: at a quantile, and robustly around the middle.
package regress

import "math"

// A Design is a set of weighted rows to regress on.
type Design struct {
	P int       // columns
	X []float64 // row by row, P columns each; the first column is 1
	Y []float64 // the target of each row
	W []float64 // the weight of each row

	At     []int32 // the step of the series that each row describes; nil when nothing needs it
	Stride int     // steps of the series from one row to the next
}

// Rows returns the number of rows.
func (d *Design) Rows() int { return len(d.Y) }

// Row returns row i, as a view.
func (d *Design) Row(i int) []float64 { return d.X[i*d.P : (i+1)*d.P] }

// Without returns the rows whose steps lie outside of [from, to).
func (d *Design) Without(from, to int) *Design {
	out := &Design{
		P: d.P, Stride: d.Stride,
		X: make([]float64, 0, len(d.X)), Y: make([]float64, 0, len(d.Y)), W: make([]float64, 0, len(d.W)),
	}
	for i, at := range d.At {
		if int(at) < from || int(at) >= to {
			out.X = append(out.X, d.Row(i)...)
			out.Y = append(out.Y, d.Y[i])
			out.W = append(out.W, d.W[i])
		}
	}
	return out
}

// Thin returns every k-th row, with the smallest k that leaves at most most rows.
func (d *Design) Thin(most int) *Design {
	k := (d.Rows() + most - 1) / most
	if k <= 1 {
		return d
	}
	out := &Design{P: d.P, Stride: d.Stride * k}
	for i := 0; i < d.Rows(); i += k {
		out.X = append(out.X, d.Row(i)...)
		out.Y = append(out.Y, d.Y[i])
		out.W = append(out.W, d.W[i])
	}
	return out
}

// NormaliseWeights scales the weights to a mean of one.
func (d *Design) NormaliseWeights() {
	sum := 0.0
	for _, w := range d.W {
		sum += w
	}
	for i := range d.W {
		d.W[i] *= float64(len(d.W)) / sum
	}
}

// deviations returns the standard deviation of each column.
func (d *Design) deviations() []float64 {
	n := float64(d.Rows())
	sums, squares := make([]float64, d.P), make([]float64, d.P)
	for i := range d.Rows() {
		for k, v := range d.Row(i) {
			sums[k] += v
			squares[k] += v * v
		}
	}
	for k, sum := range sums {
		m := sum / n
		sums[k] = math.Sqrt(math.Max(squares[k]/n-m*m, 1e-6))
	}
	return sums
}
