// Package stats holds the small statistics that the packages of the forecaster share.
package stats

import (
	"math"
	"slices"
)

// Clamp returns v, or the nearer end of [lo, hi] when v lies outside of it.
func Clamp(v, lo, hi float64) float64 { return max(lo, min(hi, v)) }

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
		largest = max(largest, v)
	}
	return largest
}

// SlidingMax returns, for each i, the largest of the width values from values[i] on, as long as there
// are so many. It takes the same time for every width.
func SlidingMax(values []float64, width int) []float64 {
	// The values are cut into blocks of the width. Those from i on are the end of one block and the
	// beginning of the next (van Herk 1992).
	out := slices.Clone(values)
	for i := len(out) - 2; i >= 0; i-- {
		if (i+1)%width != 0 {
			out[i] = max(out[i], out[i+1])
		}
	}
	var largest float64 // of the block so far
	for k, v := range values {
		if k%width == 0 {
			largest = v
		}
		largest = max(largest, v)
		if i := k - width + 1; i >= 0 {
			out[i] = max(out[i], largest)
		}
	}
	return out[:max(0, len(values)-width+1)]
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
