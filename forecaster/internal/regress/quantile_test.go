package regress

import (
	"math"
	"math/rand/v2"
	"testing"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// randomDesign draws rows whose spread depends on a column, so that quantiles are not parallel.
func randomDesign(n, p int) *Design {
	rng := rand.New(rand.NewPCG(3, 4))
	d := &Design{P: p}
	for range n {
		d.X = append(d.X, 1)
		y := 0.0
		for k := 1; k < p; k++ {
			v := rng.NormFloat64()
			d.X = append(d.X, v)
			y += v / float64(k)
		}
		d.Y = append(d.Y, y+(1+0.3*math.Abs(d.X[len(d.X)-1]))*rng.ExpFloat64())
		d.W = append(d.W, 1)
	}
	return d
}

func (d *Design) loss(beta []float64, tau float64) float64 {
	sum := 0.0
	for i, y := range d.Y {
		q := 0.0
		for k, v := range d.Row(i) {
			q += v * beta[k]
		}
		sum += stats.Pinball(y, q, tau)
	}
	return sum / float64(d.Rows())
}

func TestQuantileMinimisesPinball(t *testing.T) {
	d := randomDesign(4000, 6)
	for _, tau := range []float64{0.5, 0.85, 0.95, 0.99} {
		beta := d.Quantile(tau, 1e-6, nil)
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
		for i, y := range d.Y {
			q := 0.0
			for k, v := range d.Row(i) {
				q += v * beta[k]
			}
			if y <= q {
				covered++
			}
		}
		if got := covered / float64(d.Rows()); math.Abs(got-tau) > 0.006 {
			t.Errorf("level %g: covers %g of the rows it was fitted on", tau, got)
		}
	}
}

func BenchmarkQuantile(b *testing.B) {
	d := randomDesign(8000, 35)
	for b.Loop() {
		d.Quantile(0.85, 1, nil)
	}
}

// A Correction by few rows stays near zero, and one by many finds what is to be explained.
func TestCorrectionGrowsWithItsEvidence(t *testing.T) {
	for rows, want := range map[int][2]float64{8: {-0.05, 0.12}, 20_000: {0.45, 0.55}} {
		rng := rand.New(rand.NewPCG(5, 6))
		d := &Design{P: 2, Stride: 1}
		for range rows {
			x := rng.NormFloat64()
			d.X = append(d.X, 1, x)
			d.Y = append(d.Y, 0.5*x+0.2*rng.NormFloat64())
			d.W = append(d.W, 1)
		}
		if got := d.Correction(0.85, 250)[1]; got < want[0] || got > want[1] {
			t.Errorf("%d rows: the slope is %.3f, want %g to %g", rows, got, want[0], want[1])
		}
	}
}
