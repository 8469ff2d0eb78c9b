package forecaster

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"
)

// seasons are the periods of a series, in steps; zero where there is none.
type seasons struct {
	day  int // the season that lags and profiles are built on: a calendar day, or what takes its place
	week int // the longer season above it
	sub  int // a shorter one that was found within it
}

const (
	strongPeriod = 0.3  // least autocorrelation of a period
	periodDip    = 0.15 // how far the autocorrelation must fall before it rises to a period
	maxSpectrum  = 1 << 14
)

// findSeasons returns the seasons of raw demand. Given periods are used as given. Otherwise the calendar's day and week are used as
// soon as the history holds one and a half days, and nine days; a period that repeats clearly better than the day takes its place,
// and where there is no day yet, any period that the history has seen at least twice.
func findSeasons(o Options, raw []float64) seasons {
	n := len(raw)
	if len(o.Periods) > 0 {
		return givenSeasons(o)
	}
	var s seasons
	day := 0
	if d := 24 * time.Hour; d%o.Step == 0 || d/o.Step >= 20 {
		day = int(d / o.Step)
	}
	if day >= 2 && n >= day*3/2 {
		s.day = day
		if n > 7*day*5/4 {
			s.week = 7 * day
		}
	}
	if n < 4*8 {
		return s
	}
	found, strength, at := repeats(raw, s.day)
	switch {
	case found == 0:
	case s.day == 0:
		s.day = found
		if n > 7*found*5/4 {
			s.week = 7 * found
		}
	case float64(found) > 0.9*float64(s.day):
	case strength > at+0.1:
		s = seasons{day: found, week: s.day}
	case strength > 0.95*at && strength > 0.5:
		s.sub = found
	}
	return s
}

func givenSeasons(o Options) seasons {
	var steps []int
	for _, p := range o.Periods {
		steps = append(steps, int((p+o.Step/2)/o.Step))
	}
	slices.Sort(steps)
	steps = slices.Compact(steps)
	switch len(steps) {
	case 1:
		return seasons{day: steps[0]}
	case 2:
		return seasons{day: steps[0], week: steps[1]}
	}
	return seasons{sub: steps[0], day: steps[len(steps)-2], week: steps[len(steps)-1]}
}

// repeats returns the shortest period, in steps, at which a series resembles itself nearly as well as at any other, with the
// autocorrelation there and at a lag of one day; zero where none is strong.
func repeats(raw []float64, day int) (period int, strength, atDay float64) {
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

// flatten averages blocks of demand on the log scale, takes a linear trend off and bounds what is left, so that neither growth nor
// an outage nor a spike passes for a season. Gaps become the mean.
func flatten(raw []float64, block int) []float64 {
	soft := softShare*meanKnown(raw) + 1e-300
	z := make([]float64, 0, len(raw)/block+1)
	for i := 0; i+block <= len(raw); i += block {
		if m := meanKnownOr(raw[i:i+block], math.NaN()); math.IsNaN(m) {
			z = append(z, math.NaN())
		} else {
			z = append(z, math.Log(m+soft))
		}
	}
	var c, sx, sy, sxx, sxy float64
	for i, v := range z {
		if !math.IsNaN(v) {
			x := float64(i)
			c, sx, sy, sxx, sxy = c+1, sx+x, sy+v, sxx+x*x, sxy+x*v
		}
	}
	slope := 0.0
	if d := c*sxx - sx*sx; d > 0 {
		slope = (c*sxy - sx*sy) / d
	}
	mean := (sy - slope*sx) / math.Max(c, 1)
	known := make([]float64, 0, len(z))
	for i := range z {
		z[i] -= mean + slope*float64(i)
		if !math.IsNaN(z[i]) {
			known = append(known, math.Abs(z[i]))
		}
	}
	slices.Sort(known)
	bound := 3 * quantileSorted(known, 0.5)
	for i, v := range z {
		if math.IsNaN(v) {
			v = 0
		}
		z[i] = clamp(v, -bound, bound)
	}
	return z
}

// autocorrelation returns the correlation of z with itself at each lag, by Fourier transform.
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
	zero := r[0] / float64(n)
	for k := range r {
		if zero <= 0 {
			r[k] = 0
			continue
		}
		r[k] = r[k] / float64(n-k) / zero
	}
	return r
}

// sharpen returns the period near lag k more exactly: its multiples say the same with less noise.
func sharpen(r []float64, k int) float64 {
	period := float64(k)
	for range 4 {
		period = crest(r, period, period/8)
	}
	for m := 2.0; m*period*1.05 < float64(len(r))*0.6; m *= 2 {
		period = crest(r, m*period, period/8) / m
	}
	return period
}

// spacing returns how far the crests of r at the multiples of a period lie apart, where there are enough of them to tell: a weekend in a short
// history pulls all of them to one side.
func spacing(r []float64, period float64) float64 {
	var n, sx, sy, sxx, sxy float64
	at := 0.0
	for m := 1.0; m*period < float64(len(r))*0.7; m++ {
		at = crest(r, at+period, period/8)
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

// crest returns the middle of the crest of r around lag at, within so many lags: its centre of gravity above the rim.
func crest(r []float64, at, within float64) float64 {
	lo, hi := max(0, int(at-within)), min(len(r)-1, int(at+within+1))
	if hi-lo < 2 {
		return at
	}
	rim := math.Min(r[lo], r[hi])
	var sum, weight float64
	for k := lo; k <= hi; k++ {
		w := math.Max(0, r[k]-rim)
		sum += w * float64(k)
		weight += w
	}
	if weight == 0 {
		return at
	}
	return sum / weight
}

func meanKnown(values []float64) float64 { return meanKnownOr(values, 0) }

// meanKnownOr returns the mean of the values that are not gaps, or none where all are.
func meanKnownOr(values []float64, none float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return none
	}
	return sum / n
}
