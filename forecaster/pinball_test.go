package forecaster

import (
	"math"
	"math/rand/v2"
	"testing"
)

// randomDesign draws rows whose spread depends on a column, so that quantiles are not parallel.
func randomDesign(n, p int) *design {
	rng := rand.New(rand.NewPCG(3, 4))
	d := &design{p: p}
	for range n {
		d.x = append(d.x, 1)
		y := 0.0
		for k := 1; k < p; k++ {
			v := rng.NormFloat64()
			d.x = append(d.x, v)
			y += v / float64(k)
		}
		d.y = append(d.y, y+(1+0.3*math.Abs(d.x[len(d.x)-1]))*rng.ExpFloat64())
		d.w = append(d.w, 1)
	}
	return d
}

func (d *design) loss(beta []float64, tau float64) float64 {
	sum := 0.0
	for i, y := range d.y {
		q := 0.0
		for k, v := range d.row(i) {
			q += v * beta[k]
		}
		sum += pinball(y, q, tau)
	}
	return sum / float64(d.rows())
}

func TestRegressMinimisesPinball(t *testing.T) {
	d := randomDesign(4000, 6)
	for _, tau := range []float64{0.5, 0.85, 0.95, 0.99} {
		beta := d.regress(tau, 1e-6, nil)
		best := d.loss(beta, tau)
		for k := range beta {
			for _, by := range []float64{-0.1, 0.1} {
				moved := append([]float64(nil), beta...)
				moved[k] += by
				if l := d.loss(moved, tau); l < best-2e-4 {
					t.Errorf("level %g: moving coefficient %d by %g lowers the loss from %g to %g", tau, k, by, best, l)
				}
			}
		}
		covered := 0.0
		for i, y := range d.y {
			q := 0.0
			for k, v := range d.row(i) {
				q += v * beta[k]
			}
			if y <= q {
				covered++
			}
		}
		if got := covered / float64(d.rows()); math.Abs(got-tau) > 0.006 {
			t.Errorf("level %g: covers %g of the rows it was fitted on", tau, got)
		}
	}
}

func BenchmarkRegress(b *testing.B) {
	d := randomDesign(8000, 35)
	for b.Loop() {
		d.regress(0.85, 1, nil)
	}
}
