package report

import (
	"math"
	"time"
)

// The constants of the HPA controller (kubernetes pkg/controller/podautoscaler), for an HPA without
// a behavior section.
const (
	hpaSync      = 15 * time.Second
	hpaTolerance = 0.1
	// In one sync, the controller scales up to at most hpaScaleUpFactor times the current replicas,
	// or to hpaScaleUpMinimum, if that is more.
	hpaScaleUpFactor  = 2
	hpaScaleUpMinimum = 4
)

// hpaFollow returns the replicas of an HPA without a behavior section, at each step. It reads
// metric[i] during step i. The result is the number after the last sync of each step, which
// is the most favourable reading of a step for the HPA.
func (t *trace) hpaFollow(metric []float64, stabilization time.Duration) []float64 {
	out := make([]float64, len(metric))
	if len(metric) == 0 {
		return out
	}
	window := max(1, int(stabilization/hpaSync))
	// At a constant metric nothing changes any more after a full window and the scale-up.
	const scaleUpSyncs = 32
	syncs := min(max(1, int(t.step/hpaSync)), window+scaleUpSyncs)
	current := t.replicas(metric[0])
	recent := make([]float64, window) // ring buffer of recommendations
	for i := range recent {
		recent[i] = current
	}
	next := 0
	for i, m := range metric {
		for range syncs {
			recent[next%window] = t.recommend(m, current)
			next++
			current = t.limit(recent, current)
		}
		out[i] = current
	}
	return out
}

// recommend returns ceil(metric / target), or the current replicas if the metric is within the
// tolerance of the target.
func (t *trace) recommend(metric, current float64) float64 {
	usage := metric / (t.capacity * current)
	if current > 0 && usage >= 1-hpaTolerance && usage <= 1+hpaTolerance {
		return current
	}
	return math.Ceil(metric/t.capacity - 1e-9)
}

// limit applies the stabilisation window, the limit of the scale-up, and the bounds.
func (t *trace) limit(recent []float64, current float64) float64 {
	desired := 0.0
	for _, r := range recent {
		desired = math.Max(desired, r)
	}
	desired = math.Min(desired, math.Max(hpaScaleUpFactor*current, hpaScaleUpMinimum))
	desired = math.Max(desired, float64(t.minReplicas))
	if t.maxReplicas > 0 {
		desired = math.Min(desired, float64(t.maxReplicas))
	}
	return desired
}
