package queues

import "slices"

func quant(l []float64) func(float64) float64 {
	var v []float64
	for _, x := range l {
		if x == x {
			v = append(v, x)
		}
	}
	slices.Sort(v)
	return func(p float64) float64 { return v[int(p*float64(len(v)-1))] }
}
