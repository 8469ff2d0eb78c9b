package report

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Crane's DSP predictor with its default estimators, as its sources describe it (gocrane/crane pkg/prediction/dsp): no trend, a
// period of exactly a day or a week or none at all, a low-pass filter over whole periods, and the last of them repeated with a
// margin. It is refitted every 12 h on 15 days. Its shuffles are seeded here, so that a report is reproducible.
const (
	craneDays    = 15
	craneShuffle = 100
	craneHigh    = 1.0 / 3600 // Hz: slower lines are kept whatever their amplitude
	craneMost    = 100        // lines of the spectrum
)

// craneEstimator is one of Crane's eight defaults.
type craneEstimator struct {
	fewest    int
	amplitude float64
	margin    float64
}

func craneEstimators() []craneEstimator {
	var all []craneEstimator
	for _, e := range []craneEstimator{{fewest: 3, amplitude: 1}, {fewest: 50, amplitude: 0.05}} {
		for _, e.margin = range []float64{0.01, 0.1, 0.15, 0.2} {
			all = append(all, e)
		}
	}
	return all
}

// crane is max(observed, the prediction's maximum over the lead window); observed alone where Crane finds no period.
func crane(t *trace, a, b int) ([]float64, bool) {
	out := make([]float64, b-a)
	refit := max(1, t.day/2)
	for k := a; k < b; k += refit {
		end := min(k+refit, b)
		copy(out[k-a:end-a], t.held[k-1:end-1])
		period := craneFit(t.held[max(0, k-craneDays*t.day):k], t.day, t.step)
		if period == nil {
			continue
		}
		ahead := make([]float64, end-k+t.lead+1)
		for i := range ahead {
			ahead[i] = period[i%len(period)]
		}
		for i, v := range forwardMax(ahead, t.lead)[:end-k] {
			out[k-a+i] = math.Max(out[k-a+i], v)
		}
	}
	return out, true
}

// craneFit returns the predicted period, or nil where there is none.
func craneFit(x []float64, day int, step time.Duration) []float64 {
	if day == 0 {
		return nil
	}
	x = craneOutliers(x)
	period := cranePeriod(x, day)
	if period == 0 || len(x)/period < 2 {
		return nil
	}
	x = x[len(x)-len(x)/period*period:]
	var best craneEstimator
	least := math.Inf(1)
	for _, e := range craneEstimators() {
		predicted := e.predict(x[:len(x)-period], period, step)
		if loss := craneLoss(predicted, x[len(x)-period:]); loss < least {
			best, least = e, loss
		}
	}
	if math.IsInf(least, 1) {
		return nil
	}
	return best.predict(x, period, step)
}

// craneOutliers replaces what is outside the 0.1 and 99.9 percentiles by the value before.
func craneOutliers(x []float64) []float64 {
	if len(x) == 0 {
		return x
	}
	sorted := slices.Sorted(slices.Values(x))
	low, high := percentile(sorted, 0.001), percentile(sorted, 0.999)
	out := slices.Clone(x)
	for i := 1; i < len(out); i++ {
		if out[i] > high || out[i] < low {
			out[i] = out[i-1]
		}
	}
	return out
}

// cranePeriod is a day or a week in steps, or 0.
func cranePeriod(x []float64, day int) int {
	week := 7 * day
	switch n := len(x); {
	case n >= 2*week:
		x = x[n-n/week*week:]
	case n >= 2*day:
		x = x[n-n/day*day:]
	default:
		return 0
	}
	n := len(x)
	fft := fourier.NewFFT(n)
	spectrum := amplitudes(fft, x)
	threshold := craneThreshold(fft, x)
	correlation := autocorrelation(fft, x)
	if correlation == nil {
		return 0
	}
	best, last := 0, 0
	for k := 2; k < n/2; k++ {
		hint := n / k
		if spectrum[k] <= threshold || hint == last {
			continue
		}
		last = hint
		if cranePeak(correlation, hint, day) && (best == 0 || correlation[hint] > correlation[best]) {
			best = hint
		}
	}
	if best != day && best != week {
		return 0
	}
	return best
}

// cranePeak says whether the autocorrelation rises before and falls after a lag.
func cranePeak(r []float64, lag, day int) bool {
	w := int(min(float64(4*day)/24, float64(lag)/2))
	if w < 2 || lag+w >= len(r) {
		return false
	}
	return slope(r[lag-w:lag+1]) > 0 && slope(r[lag:lag+w+1]) < 0
}

// craneThreshold is the second largest of the largest amplitudes of a hundred shuffles.
func craneThreshold(fft *fourier.FFT, x []float64) float64 {
	rng := rand.New(rand.NewPCG(1, 1))
	shuffled := slices.Clone(x)
	tops := make([]float64, craneShuffle)
	for i := range tops {
		rng.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		for _, a := range amplitudes(fft, shuffled)[1 : len(x)/2] {
			tops[i] = math.Max(tops[i], a)
		}
	}
	slices.Sort(tops)
	return tops[craneShuffle-2]
}

func amplitudes(fft *fourier.FFT, x []float64) []float64 {
	lines := fft.Coefficients(nil, x)
	out := make([]float64, len(lines))
	for i, c := range lines {
		out[i] = cmplx.Abs(c)
	}
	return out
}

// autocorrelation is circular; nil for a constant series.
func autocorrelation(fft *fourier.FFT, x []float64) []float64 {
	n := float64(len(x))
	mean, spread := 0.0, 0.0
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		spread += (v - mean) * (v - mean) / n
	}
	if spread == 0 {
		return nil
	}
	z := make([]float64, len(x))
	for i, v := range x {
		z[i] = (v - mean) / math.Sqrt(spread)
	}
	lines := fft.Coefficients(nil, z)
	for i, c := range lines {
		lines[i] = c * cmplx.Conj(c)
	}
	r := fft.Sequence(nil, lines)
	for i := range r {
		r[i] /= n * n // gonum's transform back is not normalised
	}
	return r
}

// slope of the least-squares line.
func slope(y []float64) float64 {
	n := float64(len(y))
	mean, top, bottom := 0.0, 0.0, 0.0
	for _, v := range y {
		mean += v / n
	}
	for i, v := range y {
		x := float64(i) - (n-1)/2
		top += x * (v - mean)
		bottom += x * x
	}
	return top / bottom
}

// predict is the last period of the filtered series, with the margin. As in Crane, the lines above the middle are not folded onto
// those below: half of a weak slow line is lost.
func (e craneEstimator) predict(x []float64, period int, step time.Duration) []float64 {
	n := len(x) / period * period
	x = x[len(x)-n:]
	fft := fourier.NewCmplxFFT(n)
	wave := make([]complex128, n)
	for i, v := range x {
		wave[i] = complex(v, 0)
	}
	lines := fft.Coefficients(nil, wave)
	amplitude := make([]float64, n)
	for i, c := range lines {
		amplitude[i] = cmplx.Abs(c) / float64(n)
	}
	sorted := slices.Sorted(slices.Values(amplitude[1 : n/2]))
	slices.Reverse(sorted)
	threshold := math.Max(sorted[min(craneMost, len(sorted))-1], e.amplitude)
	threshold = math.Min(threshold, sorted[min(e.fewest, len(sorted))-1])
	for k := range lines {
		if amplitude[k] < threshold && float64(k)/(float64(n)*step.Seconds()) > craneHigh {
			lines[k] = 0
		}
	}
	back := fft.Sequence(nil, lines)
	out := make([]float64, period)
	for i := range out {
		v := real(back[n-period+i]) / float64(n)
		if v <= 0 {
			v = 0.01
		}
		out[i] = v * (1 + e.margin)
	}
	return out
}

// craneLoss is Crane's: relative errors, where too little weighs more; absolute ones where demand comes near 0.
func craneLoss(predicted, actual []float64) float64 {
	sum, absolute := 0.0, slices.Min(actual) < 1e-3
	for i, a := range actual {
		d := predicted[i] - a
		switch {
		case absolute:
			sum += math.Abs(d)
		case d >= 0:
			sum += d / a
		default:
			sum -= math.Log(math.Max(1e-9, 1+d/a)) / math.Log(1.25)
		}
	}
	return sum / float64(len(actual))
}
