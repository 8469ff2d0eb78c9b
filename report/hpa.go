package report

import (
	"math"
	"time"

	"headstart.dev/headstart/planner/plan"
)

// The HPA controller's own constants (kubernetes pkg/controller/podautoscaler).
const (
	hpaSync      = 15 * time.Second
	hpaTolerance = 0.1
	hpaFactor    = 2
	hpaMinimum   = 4
)

// hpaFollow is what an HPA without a behavior section makes of a metric: metric[i] is what it reads during step i. The
// controller syncs every 15 s; within the tolerance of 10 % it does nothing; it adds at most max(2 × replicas, 4) at a sync, and
// removes only what the highest recommendation of the stabilisation window allows. The result is the number of replicas after
// the last sync of each step, the most favourable reading of a step.
func (t *trace) hpaFollow(metric []float64, stabilization time.Duration) []float64 {
	out := make([]float64, len(metric))
	if len(metric) == 0 {
		return out
	}
	window := max(1, int(stabilization/hpaSync))
	// After a full window and the climb at a constant metric nothing changes any more.
	syncs := min(max(1, int(t.step/hpaSync)), window+32)
	now := t.replicas(metric[0])
	recent := make([]float64, window) // a ring of recommendations
	for i := range recent {
		recent[i] = now
	}
	at := 0
	for i, m := range metric {
		for range syncs {
			recent[at%window] = t.recommend(m, now)
			at++
			now = t.limit(recent, now)
		}
		out[i] = now
	}
	return out
}

// recommend is ceil(metric / target), or what there is while that is within the tolerance.
func (t *trace) recommend(metric, now float64) float64 {
	if used := metric / (t.capacity * now); now > 0 && used >= 1-hpaTolerance && used <= 1+hpaTolerance {
		return now
	}
	return float64(plan.Replicas(metric, t.capacity))
}

// limit applies stabilisation, the scale-up rule and the bounds.
func (t *trace) limit(recent []float64, now float64) float64 {
	want := 0.0
	for _, r := range recent {
		want = math.Max(want, r)
	}
	want = math.Min(want, math.Max(hpaFactor*now, hpaMinimum))
	want = math.Max(want, float64(t.least))
	if t.most > 0 {
		want = math.Min(want, float64(t.most))
	}
	return want
}
