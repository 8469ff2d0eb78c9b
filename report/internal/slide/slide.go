// Package slide has the largest and smallest values of moving windows, and fills gaps.
package slide

import "math"

// FillGaps fills each gap with the last known value. Gaps at the start have the first known value.
func FillGaps(v []float64) []float64 {
	out := make([]float64, len(v))
	last := math.NaN()
	for _, x := range v {
		if !math.IsNaN(x) {
			last = x
			break
		}
	}
	for i, x := range v {
		if !math.IsNaN(x) {
			last = x
		}
		out[i] = last
	}
	return out
}

// LastKnown returns for each step the last step before it that is not a gap, or -1. It is computed
// once, since a gap may be as long as the series.
func LastKnown(v []float64) []int {
	out, last := make([]int, len(v)), -1
	for i, x := range v {
		out[i] = last
		if !math.IsNaN(x) {
			last = i
		}
	}
	return out
}

// ForwardMax returns for each i the largest of x[i] … x[i+s].
func ForwardMax(x []float64, s int) []float64 {
	return slidingMax(x, 0, s, 1)
}

// BackwardMax returns for each i the largest of x[i-s] … x[i].
func BackwardMax(x []float64, s int) []float64 {
	return slidingMax(x, s, 0, 1)
}

// BackwardMin returns for each i the smallest of x[i-s] … x[i].
func BackwardMin(x []float64, s int) []float64 {
	return slidingMax(x, s, 0, -1)
}

// slidingMax returns for each i the largest of x[i-back] … x[i+ahead], as far as x reaches, and the
// smallest with a sign of -1. It takes time linear in the length of x.
func slidingMax(x []float64, back, ahead int, sign float64) []float64 {
	out := make([]float64, len(x))
	queue := make([]int, len(x)) // indices of decreasing values, from head to tail
	head, tail := 0, 0
	for next, i := 0, 0; i < len(x); i++ {
		for ; next < len(x) && next <= i+ahead; next++ {
			for tail > head && sign*x[queue[tail-1]] <= sign*x[next] {
				tail--
			}
			queue[tail] = next
			tail++
		}
		for queue[head] < i-back {
			head++
		}
		out[i] = x[queue[head]]
	}
	return out
}
