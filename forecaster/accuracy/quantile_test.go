package accuracy_test

import "slices"

// quantile of values, which it sorts.
func quantile(values []float64, share float64) float64 {
	slices.Sort(values)
	return values[int(share*float64(len(values)-1))]
}
