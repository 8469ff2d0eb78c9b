// Package stats holds the small statistics that the packages of the forecaster share.
package stats

import "math"

// Clamp returns v, or the nearer end of [lo, hi] when v lies outside of it.
func Clamp(v, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, v)) }

// Dot returns the dot product of a and b, which have the same length.
func Dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// Max returns the largest of values, of which there must be one.
func Max(values []float64) float64 {
	largest := values[0]
	for _, v := range values[1:] {
		largest = math.Max(largest, v)
	}
	return largest
}

// Mean returns the mean of values.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// MeanKnown returns the mean of the values that are not gaps (NaN), and zero when all are gaps.
func MeanKnown(values []float64) float64 { return MeanKnownOr(values, 0) }

// MeanKnownOr returns the mean of the values that are not gaps (NaN), and otherwise when all are
// gaps.
func MeanKnownOr(values []float64, otherwise float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return otherwise
	}
	return sum / n
}

// Quantile returns the q-quantile of ascending values, interpolated linearly between neighbours.
// It is zero without values.
func Quantile(ascending []float64, q float64) float64 {
	if len(ascending) == 0 {
		return 0
	}
	at := Clamp(q, 0, 1) * float64(len(ascending)-1)
	i := int(at)
	if i+1 >= len(ascending) {
		return ascending[len(ascending)-1]
	}
	f := at - float64(i)
	return ascending[i]*(1-f) + ascending[i+1]*f
}

// Pinball returns the pinball (quantile) loss at level tau of the estimate q when y was observed.
func Pinball(y, q, tau float64) float64 {
	if y >= q {
		return tau * (y - q)
	}
	return (1 - tau) * (q - y)
}
