package report

import (
	"math"
	"time"

	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// trace is a series made ready for policies and scores.
type trace struct {
	start    time.Time
	step     time.Duration
	raw      []float64 // NaN is a gap
	held     []float64 // gaps hold the last known value
	newest   []int     // by step, the last one before it that is known; -1 is none
	from     int       // the first scored step
	lead     int       // S, in steps
	stab     int       // scale-down stabilisation, in steps
	capacity float64
	penalty  float64 // shortage cost
	least    int     // replicas at least
	most     int     // and at most; 0 is no limit
	day      int     // steps
	gpus     float64 // of one replica
	price    float64 // of one GPU-hour, or replica-hour without GPUs
}

func newTrace(o Options) *trace {
	s := o.Series
	return &trace{
		start: s.Start, step: s.Step, raw: s.Values, held: hold(s.Values), newest: newest(s.Values), from: o.From,
		lead: planner.LeadSteps(o.Lead, s.Step), stab: int(o.Stabilization / s.Step),
		capacity: o.Capacity, penalty: o.shortageCost(), least: o.MinReplicas, most: o.MaxReplicas,
		day: int(24 * time.Hour / s.Step), gpus: o.GPUs, price: o.Price,
	}
}

// hold fills gaps with the last known value, and those at the beginning with the first.
func hold(v []float64) []float64 {
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

// newest finds, for each step, the last one before it that is no gap. Gaps may be as long as the series, so it is not looked for anew.
func newest(v []float64) []int {
	out, last := make([]int, len(v)), -1
	for i, x := range v {
		out[i] = last
		if !math.IsNaN(x) {
			last = i
		}
	}
	return out
}

// replicas for a demand: at least the minimum, at most the maximum.
func (t *trace) replicas(demand float64) float64 {
	n := max(t.least, plan.Replicas(demand, t.capacity))
	if t.most > 0 {
		n = min(n, t.most)
	}
	return float64(n)
}

// forwardMax is the largest of x[i] … x[i+s], as far as x goes.
func forwardMax(x []float64, s int) []float64 {
	return slidingMax(x, 0, s)
}

// backwardMax is the largest of x[i-s] … x[i], as far as x goes.
func backwardMax(x []float64, s int) []float64 {
	return slidingMax(x, s, 0)
}

// backwardMin is the smallest of x[i-s] … x[i], as far as x goes.
func backwardMin(x []float64, s int) []float64 {
	neg := make([]float64, len(x))
	for i, v := range x {
		neg[i] = -v
	}
	out := slidingMax(neg, s, 0)
	for i, v := range out {
		out[i] = -v
	}
	return out
}

// slidingMax is the largest of x[i-back] … x[i+ahead], in time linear in x.
func slidingMax(x []float64, back, ahead int) []float64 {
	out := make([]float64, len(x))
	queue := make([]int, 0, back+ahead+2) // indices of falling values
	head := 0
	for next, i := 0, 0; i < len(x); i++ {
		for ; next < len(x) && next <= i+ahead; next++ {
			for len(queue) > head && x[queue[len(queue)-1]] <= x[next] {
				queue = queue[:len(queue)-1]
			}
			queue = append(queue, next)
		}
		for queue[head] < i-back {
			head++
		}
		out[i] = x[queue[head]]
	}
	return out
}
