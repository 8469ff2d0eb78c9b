package peers

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"
)

// This file is Crane's DSP predictor with its default estimators, as in its source code
// (gocrane/crane pkg/prediction/dsp). It finds a period of exactly a day or a week, or none. It
// then filters whole periods of the history, and repeats the last one with a margin. There is no
// trend. Crane fits every 12 hours on 15 days. Its shuffles are seeded here, so that a report is
// reproducible.
const (
	// CraneHistoryDays is how many days a fit looks back on.
	CraneHistoryDays = 15
	craneShuffles    = 100
	// craneSlow is the frequency in Hz up to which all components are kept.
	craneSlow = 1.0 / 3600
	// craneMaxComponents bounds the number of faster components that are kept.
	craneMaxComponents = 100
)

// craneEstimator is one of Crane's eight default estimators.
type craneEstimator struct {
	minComponents int     // components to keep at least
	minAmplitude  float64 // of the other components to keep
	margin        float64 // that is added to the prediction
}

func craneEstimators() []craneEstimator {
	var all []craneEstimator
	for _, e := range []craneEstimator{{minComponents: 3, minAmplitude: 1}, {minComponents: 50, minAmplitude: 0.05}} {
		for _, e.margin = range []float64{0.01, 0.1, 0.15, 0.2} {
			all = append(all, e)
		}
	}
	return all
}

// CraneFit returns the prediction for the next period, or nil if there is no period. It is that of
// the estimator that predicts the last period best from the periods before.
func CraneFit(x []float64, day int, step time.Duration) []float64 {
	if day == 0 {
		return nil
	}
	x = craneWithoutOutliers(x)
	period := cranePeriod(x, day)
	if period == 0 || len(x)/period < 2 {
		return nil
	}
	x = wholeCycles(x, period)
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

// wholeCycles returns the largest number of whole periods at the end of x.
func wholeCycles(x []float64, period int) []float64 { return x[len(x)-len(x)/period*period:] }

// craneWithoutOutliers replaces values outside the 0.1 and 99.9 percentiles by the value before.
func craneWithoutOutliers(x []float64) []float64 {
	if len(x) == 0 {
		return x
	}
	sorted := slices.Sorted(slices.Values(x))
	low, high := Percentile(sorted, 0.001), Percentile(sorted, 0.999)
	out := slices.Clone(x)
	for i := 1; i < len(out); i++ {
		if out[i] > high || out[i] < low {
			out[i] = out[i-1]
		}
	}
	return out
}

// cranePeriod returns the period of x in steps: a day, a week, or 0 for none. Candidates are the
// components above the noise whose period is a local maximum of the autocorrelation. The one with
// the largest autocorrelation is the period, if it is exactly a day or a week.
func cranePeriod(x []float64, day int) int {
	week := 7 * day
	switch n := len(x); {
	case n >= 2*week:
		x = wholeCycles(x, week)
	case n >= 2*day:
		x = wholeCycles(x, day)
	default:
		return 0
	}
	n := len(x)
	fft := fourier.NewFFT(n)
	spectrum := amplitudes(fft, x)
	noise := craneNoise(fft, x)
	correlation := autocorrelation(fft, x)
	if correlation == nil {
		return 0
	}
	best, last := 0, 0
	for k := 2; k < n/2; k++ {
		candidate := n / k
		if spectrum[k] <= noise || candidate == last {
			continue
		}
		last = candidate
		if isCranePeak(correlation, candidate, day) && (best == 0 || correlation[candidate] > correlation[best]) {
			best = candidate
		}
	}
	if best != day && best != week {
		return 0
	}
	return best
}

// isCranePeak reports whether the autocorrelation rises before a lag and falls after it.
func isCranePeak(r []float64, lag, day int) bool {
	width := int(min(float64(4*day)/24, float64(lag)/2))
	if width < 2 || lag+width >= len(r) {
		return false
	}
	return slope(r[lag-width:lag+1]) > 0 && slope(r[lag:lag+width+1]) < 0
}

// craneNoise returns the amplitude that chance alone explains: the second largest of the largest
// amplitudes of a hundred shuffles.
func craneNoise(fft *fourier.FFT, x []float64) float64 {
	rng := rand.New(rand.NewPCG(1, 1))
	shuffled := slices.Clone(x)
	components := make([]complex128, len(x)/2+1)
	largest := make([]float64, craneShuffles)
	for i := range largest {
		rng.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		components = fft.Coefficients(components, shuffled)
		square := 0.0 // of the largest amplitude: one root is cheaper than thousands
		for _, c := range components[1 : len(x)/2] {
			square = max(square, real(c)*real(c)+imag(c)*imag(c))
		}
		largest[i] = math.Sqrt(square)
	}
	slices.Sort(largest)
	return largest[craneShuffles-2]
}

func amplitudes(fft *fourier.FFT, x []float64) []float64 {
	components := fft.Coefficients(nil, x)
	out := make([]float64, len(components))
	for i, c := range components {
		out[i] = cmplx.Abs(c)
	}
	return out
}

// autocorrelation returns the circular autocorrelation by lag, or nil for a constant series.
func autocorrelation(fft *fourier.FFT, x []float64) []float64 {
	n := float64(len(x))
	mean, variance := 0.0, 0.0
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / n
	}
	if variance == 0 {
		return nil
	}
	z := make([]float64, len(x))
	for i, v := range x {
		z[i] = (v - mean) / math.Sqrt(variance)
	}
	components := fft.Coefficients(nil, z)
	for i, c := range components {
		components[i] = c * cmplx.Conj(c)
	}
	r := fft.Sequence(nil, components)
	for i := range r {
		r[i] /= n * n // gonum's inverse transform is not normalised
	}
	return r
}

// slope returns the slope of the least-squares line.
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

// predict returns the last period of the filtered series, with the margin. Predictions are above 0.
func (e craneEstimator) predict(x []float64, period int, step time.Duration) []float64 {
	x = wholeCycles(x, period)
	n := len(x)
	fft := fourier.NewCmplxFFT(n)
	filtered := fft.Sequence(nil, e.filter(fft, x, step))
	out := make([]float64, period)
	for i := range out {
		v := real(filtered[n-period+i]) / float64(n)
		if v <= 0 {
			v = 0.01
		}
		out[i] = v * (1 + e.margin)
	}
	return out
}

// filter returns the components of x without the weak ones. As in Crane, the upper half of the
// spectrum, which mirrors the lower one, counts as fast. So a weak slow component loses half of its
// amplitude.
func (e craneEstimator) filter(fft *fourier.CmplxFFT, x []float64, step time.Duration) []complex128 {
	n := len(x)
	signal := make([]complex128, n)
	for i, v := range x {
		signal[i] = complex(v, 0)
	}
	components := fft.Coefficients(nil, signal)
	amplitude := make([]float64, n)
	for i, c := range components {
		amplitude[i] = cmplx.Abs(c) / float64(n)
	}
	sorted := slices.Sorted(slices.Values(amplitude[1 : n/2]))
	slices.Reverse(sorted)
	threshold := math.Max(sorted[min(craneMaxComponents, len(sorted))-1], e.minAmplitude)
	threshold = math.Min(threshold, sorted[min(e.minComponents, len(sorted))-1])
	for k := range components {
		frequency := float64(k) / (float64(n) * step.Seconds())
		if amplitude[k] < threshold && frequency > craneSlow {
			components[k] = 0
		}
	}
	return components
}

// craneLoss is the mean relative error. Predictions that are too low count more. If demand is close
// to 0 anywhere, it is the mean absolute error.
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
