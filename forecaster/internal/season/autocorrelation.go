package season

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

const (
	strongPeriod = 0.3  // least autocorrelation of a period
	periodDip    = 0.15 // how far the autocorrelation must fall before it rises to a period
	maxSpectrum  = 1 << 14
)

// detect returns the shortest period, in steps, at which a series resembles itself nearly as well
// as at any other. It returns the autocorrelation there and at a lag of one day as well. The period
// is zero when none is strong.
func detect(raw []float64, day int) (period int, strength, atDay float64) {
	block := (len(raw) + maxSpectrum - 1) / maxSpectrum
	r := autocorrelation(flatten(raw, block))
	best, low := 0, 1.0
	var peaks []int
	for k := 2; k+1 < len(r)*9/20; k++ {
		low = math.Min(low, r[k-1])
		if r[k] >= r[k-1] && r[k] > r[k+1] && r[k] > strongPeriod && r[k]-low > periodDip {
			peaks = append(peaks, k)
			if best == 0 || r[k] > r[best] {
				best = k
			}
		}
	}
	if k := day / block; k > 0 && k < len(r) {
		atDay = r[k]
	}
	for _, k := range peaks {
		if r[k] >= 0.9*r[best] {
			return int(math.Round(spacing(r, sharpen(r, k)) * float64(block))), r[k], atDay
		}
	}
	return 0, 0, atDay
}

// autocorrelation returns the correlation of z with itself at each lag, by Fourier transform
// (Wiener–Khinchin).
func autocorrelation(z []float64) []float64 {
	n := len(z)
	size := 1
	for size < 2*n {
		size *= 2
	}
	padded := make([]float64, size)
	copy(padded, z)
	fft := fourier.NewFFT(size)
	c := fft.Coefficients(nil, padded)
	for i, v := range c {
		c[i] = complex(real(v)*real(v)+imag(v)*imag(v), 0)
	}
	r := fft.Sequence(nil, c)[:n]
	variance := r[0] / float64(n)
	for k := range r {
		if variance <= 0 {
			r[k] = 0
			continue
		}
		r[k] = r[k] / float64(n-k) / variance
	}
	return r
}

// sharpen returns the period near lag k with a fraction. The maxima at its multiples say the same
// with less noise.
func sharpen(r []float64, k int) float64 {
	period := float64(k)
	for range 4 {
		period = peakCentre(r, period, period/8)
	}
	for m := 2.0; m*period*1.05 < float64(len(r))*0.6; m *= 2 {
		period = peakCentre(r, m*period, period/8) / m
	}
	return period
}

// spacing returns how far the maxima of r at the multiples of a period lie apart, by least squares.
// A weekend in a short history pulls all of them to one side, which their spacing does not see. It
// returns the period itself when the history holds too few maxima, or when they disagree with it.
func spacing(r []float64, period float64) float64 {
	var n, sx, sy, sxx, sxy float64
	at := 0.0
	for m := 1.0; m*period < float64(len(r))*0.7; m++ {
		at = peakCentre(r, at+period, period/8)
		n, sx, sy, sxx, sxy = n+1, sx+m, sy+at, sxx+m*m, sxy+m*at
	}
	if n < 4 {
		return period
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	if math.Abs(slope-period) > 0.03*period {
		return period
	}
	return slope
}

// peakCentre returns the centre of gravity of the maximum of r near lag at. It looks at the lags
// within the given distance, and at what lies above the lower of their two ends.
func peakCentre(r []float64, at, within float64) float64 {
	lo, hi := max(0, int(at-within)), min(len(r)-1, int(at+within+1))
	if hi-lo < 2 {
		return at
	}
	base := math.Min(r[lo], r[hi])
	var sum, weight float64
	for k := lo; k <= hi; k++ {
		w := math.Max(0, r[k]-base)
		sum += w * float64(k)
		weight += w
	}
	if weight == 0 {
		return at
	}
	return sum / weight
}
