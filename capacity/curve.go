package capacity

import "math"

// A Point is the latency at one load per replica.
type Point struct {
	Load     float64 // per replica, the middle of the loads
	Median   float64 // latency that half of the steps did not exceed
	Quantile float64 // latency that the share Attain of the steps did not exceed
	Steps    float64 // older ones count less
	Missed   float64 // of them, steps that missed the objective
}

const maxPoints = 64

// Curve returns latency against load per replica in order of load, at most 64 points.
func (e *Estimator) Curve() []Point {
	var points []Point
	s := &e.bins
	each := (binCount + maxPoints - 1) / maxPoints
	for i := 0; i < binCount; i += each {
		var sum bin
		end := min(i+each, binCount)
		for j := i; j < end; j++ {
			sum.merge(&s.bins[j])
		}
		n := float64(sum.met + sum.missed)
		if n == 0 {
			continue
		}
		points = append(points, Point{
			Load:     math.Sqrt(s.load(i) * s.load(end)),
			Median:   e.opts.AtMost * sum.quantile(0.5),
			Quantile: e.opts.AtMost * sum.quantile(e.opts.Attain),
			Steps:    n / s.weight,
			Missed:   float64(sum.missed) / s.weight,
		})
	}
	return points
}

func (b *bin) merge(other *bin) {
	b.met += other.met
	b.missed += other.missed
	for c := range b.cells {
		b.cells[c] += other.cells[c]
	}
}

// quantile returns a quantile of the latency relative to the objective, between the bounds of its
// cell in proportion.
func (b *bin) quantile(level float64) float64 {
	total := 0.0
	for _, c := range b.cells {
		total += float64(c)
	}
	rest := level * total
	for i, c := range b.cells {
		n := float64(c)
		if n > 0 && rest <= n {
			return math.Pow(cellRatio, float64(i-topCell)+rest/n)
		}
		rest -= n
	}
	return math.Pow(cellRatio, cellCount-topCell)
}
