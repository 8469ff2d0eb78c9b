package report

import (
	"math"
	"time"

	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report/internal/slide"
	"headstart.dev/headstart/report/learned"
)

// trace is a series, prepared for the policies and the scores.
type trace struct {
	start         time.Time
	step          time.Duration
	raw           []float64      // NaN is a gap
	filled        []float64      // a gap has the last known value
	lastKnown     []int          // for each step, the last known step before it, or -1
	from          int            // the first replayed step
	lead          int            // in steps
	stabilization int            // scale-down stabilisation window, in steps
	capacity      float64        // of one replica, as configured
	track         *learned.Track // of what is learned instead; nil without
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
		filled: slide.FillGaps(s.Values), lastKnown: slide.LastKnown(s.Values),
		lead: planner.LeadSteps(o.Lead, s.Step), stabilization: int(o.Stabilization / s.Step),
		capacity: o.Capacity, shortageCost: o.shortageCost(), minReplicas: o.MinReplicas, maxReplicas: o.MaxReplicas,
		day: int(24 * time.Hour / s.Step), gpus: o.GPUs, price: o.Price, hpa: o.hpaOfToday(),
		track: o.track,
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

// planned returns the capacity that Headstart plans step k with. It is known before that step.
func (t *trace) planned(k int) float64 {
	if t.track == nil {
		return t.capacity
	}
	return t.track.InUse[min(k, len(t.track.InUse)-1)]
}

// serves returns what a replica serves in step k. Where the capacity is learned, that is known in
// hindsight only.
func (t *trace) serves(k int) float64 {
	if t.track == nil {
		return t.capacity
	}
	return t.track.Known[k]
}

// replicas returns the replicas for a demand by the configured capacity, within the bounds.
func (t *trace) replicas(demand float64) float64 { return t.replicasAt(demand, t.capacity) }

// replicasAt is replicas for another capacity.
func (t *trace) replicasAt(demand, capacity float64) float64 {
	return float64(plan.Within(demand, capacity, t.minReplicas, t.maxReplicas))
}
