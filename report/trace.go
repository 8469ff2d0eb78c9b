package report

import (
	"math"
	"time"

	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// trace is a series, prepared for the policies and the scores.
type trace struct {
	start         time.Time
	step          time.Duration
	raw           []float64 // NaN is a gap
	filled        []float64 // a gap has the last known value
	lastKnown     []int     // for each step, the last known step before it, or -1
	from          int       // the first replayed step
	lead          int       // in steps
	stabilization int       // scale-down stabilisation window, in steps
	capacity      float64   // of one replica
	shortageCost  float64
	minReplicas   int
	maxReplicas   int     // 0 is no limit
	day           int     // a day in steps
	gpus          float64 // of one replica
	hpa           HPA     // of today
	price         float64 // of one GPU-hour, or of one replica-hour without GPUs
}

func newTrace(o Options) *trace {
	s := o.Series
	return &trace{
		start: s.Start, step: s.Step, raw: s.Values, from: o.From,
		filled: fillGaps(s.Values), lastKnown: lastKnown(s.Values),
		lead: planner.LeadSteps(o.Lead, s.Step), stabilization: int(o.Stabilization / s.Step),
		capacity: o.Capacity, shortageCost: o.shortageCost(), minReplicas: o.MinReplicas, maxReplicas: o.MaxReplicas,
		day: int(24 * time.Hour / s.Step), gpus: o.GPUs, price: o.Price, hpa: o.hpaOfToday(),
	}
}

// tuning returns where the last third of the history begins, on which policies are tuned. It returns
// false if there is too little history: less than two days before, or values in less than half of
// either part. On gaps every headroom is as good as another, and the first would be picked.
func (t *trace) tuning() (begin int, ok bool) {
	begin = t.from * 2 / 3
	enough := begin >= max(1, 2*t.day) && t.known(0, begin) >= t.day && 2*t.known(begin, t.from) >= t.from-begin
	return begin, enough
}

// gappy reports whether the history is long enough to tune on, but for its gaps.
func (t *trace) gappy() bool {
	begin, ok := t.tuning()
	return !ok && begin >= max(1, 2*t.day)
}

// known returns how many of the steps [a, b) have a value.
func (t *trace) known(a, b int) int {
	n := 0
	for _, v := range t.raw[a:b] {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// fillGaps fills each gap with the last known value. Gaps at the start have the first known value.
func fillGaps(v []float64) []float64 {
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

// lastKnown returns for each step the last step before it that is not a gap, or -1. It is computed
// once, since a gap may be as long as the series.
func lastKnown(v []float64) []int {
	out, last := make([]int, len(v)), -1
	for i, x := range v {
		out[i] = last
		if !math.IsNaN(x) {
			last = i
		}
	}
	return out
}

// replicas returns the replicas for a demand, within the bounds.
func (t *trace) replicas(demand float64) float64 {
	n := max(t.minReplicas, plan.Replicas(demand, t.capacity))
	if t.maxReplicas > 0 {
		n = min(n, t.maxReplicas)
	}
	return float64(n)
}

// forwardMax returns for each i the largest of x[i] … x[i+s].
func forwardMax(x []float64, s int) []float64 {
	return slidingMax(x, 0, s, 1)
}

// backwardMax returns for each i the largest of x[i-s] … x[i].
func backwardMax(x []float64, s int) []float64 {
	return slidingMax(x, s, 0, 1)
}

// backwardMin returns for each i the smallest of x[i-s] … x[i].
func backwardMin(x []float64, s int) []float64 {
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
