package planner

import (
	"math"
	"math/bits"

	"headstart.dev/headstart/scheduler"
)

// slidingMax returns, for each of n positions, the largest of the width values from there on; NaN
// where there is none. NaN among the values does not count. It takes time in proportion to n.
func slidingMax(values []float64, n, width int) []float64 {
	out := make([]float64, n)
	var best []int // positions of ever smaller values, of which the first is the largest
	head, next := 0, 0
	for i := range out {
		for ; next < min(i+width, len(values)); next++ {
			v := values[next]
			if math.IsNaN(v) {
				continue
			}
			for len(best) > head && values[best[len(best)-1]] <= v {
				best = best[:len(best)-1]
			}
			best = append(best, next)
		}
		for head < len(best) && best[head] < i {
			head++
		}
		out[i] = math.NaN()
		if head < len(best) {
			out[i] = values[best[head]]
		}
	}
	return out
}

// rangeMax finds the largest value of any range at once. Level k has the largest of each 2^k
// values.
type rangeMax [][]float64

func newRangeMax(values []float64) rangeMax {
	levels := rangeMax{values}
	for width := 1; 2*width <= len(values); width *= 2 {
		below := levels[len(levels)-1]
		level := make([]float64, len(values)-2*width+1)
		for i := range level {
			level[i] = max(below[i], below[i+width])
		}
		levels = append(levels, level)
	}
	return levels
}

// of returns the largest value of [from, to), which must not be empty.
func (r rangeMax) of(from, to int) float64 {
	k := bits.Len(uint(to-from)) - 1 //nolint:gosec // above 0
	return max(r[k][from], r[k][to-1<<k])
}

// leadWindows answers what peaks make of a forecast in lead windows. Steps that follow each other
// and say the same are looked at together, so the time does not grow with their number.
type leadWindows struct {
	peaks    []scheduler.Demand
	capacity float64
	lead     int
	medians  []float64 // none below 0; element i is step i of peaks
	largest  rangeMax
	runs     []int // where the run of equal peaks ends that each step is in
}

func newLeadWindows(in buildInput, medians []float64) *leadWindows {
	w := &leadWindows{peaks: in.Peaks, capacity: in.Capacity, lead: in.Lead, medians: medians}
	w.largest = newRangeMax(medians)
	w.runs = make([]int, len(in.Peaks))
	for i := len(in.Peaks) - 1; i >= 0; i-- {
		w.runs[i] = i + 1
		// Only where it does not ramp does the largest forecast of a run give the largest demand: near
		// the end of a ramp a larger forecast can fall short of the last step, see RampStep.
		if d := in.Peaks[i]; i+1 < len(in.Peaks) && d == in.Peaks[i+1] && d.Multiply == d.MultiplyTo && d.Add == d.AddTo {
			w.runs[i] = w.runs[i+1]
		}
	}
	return w
}

// demand returns the largest demand of the lead window that begins at step i, with its peaks. cover
// is the forecast of the window without peaks, and top is the largest of its medians.
func (w *leadWindows) demand(i int, cover, top float64) float64 {
	out := 0.0
	known := min(i+w.lead+1, len(w.medians))
	for from, end := i, i+w.lead+1; from < end; {
		to, base := min(w.runs[from], end), cover
		if top > 0 && from < known {
			to = min(to, known)
			base = cover * (w.largest.of(from, to) / top)
		}
		out = max(out, nonNegative(w.peaks[from].Apply(base, w.capacity)))
		from = to
	}
	return out
}
