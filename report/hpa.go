package report

import (
	"math"
	"time"

	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report/internal/format"
)

// The constants of the HPA controller (kubernetes pkg/controller/podautoscaler).
const (
	hpaSync      = 15 * time.Second
	hpaTolerance = 0.1
	// In one sync, an HPA without a behavior section scales up to at most hpaScaleUpFactor times the
	// current replicas, or to hpaScaleUpMinimum, if that is more.
	hpaScaleUpFactor  = 2
	hpaScaleUpMinimum = 4
)

// HPA describes the HPA that a team runs today.
type HPA struct {
	// Name is NAMESPACE/NAME of an HPA in the cluster. It is empty for an assumed one.
	Name string
	// ScaledObject is the name of the ScaledObject that the HPA belongs to. ReadsForecast reports
	// whether the HPA reads the replayed Forecast.
	ScaledObject  string
	ReadsForecast bool
	// Target is the share of a replica's capacity at which it scales, such as 0.75.
	Target float64
	// Ramp is how fast it adds replicas, and Stabilization its scale-down stabilisation window.
	Ramp          planner.Ramp
	Stabilization time.Duration
	// MinReplicas and MaxReplicas are its bounds. A MaxReplicas of 0 is no limit.
	MinReplicas, MaxReplicas int
}

// DefaultTarget is the target of an HPA of which nothing is known.
const DefaultTarget = 0.75

// label describes the HPA in a phrase.
func (h HPA) label() string {
	if h.Name == "" {
		return "an HPA at a " + format.Percent(h.Target) + " target"
	}
	return "the HPA " + h.Name + " as it is, at its " + format.Percent(h.Target) + " target"
}

// hpaFollow returns the replicas of an HPA at each step. It reads metric[i] during step i. The
// result is the number after the last sync of each step, which is the most favourable reading of a
// step for the HPA.
func (t *trace) hpaFollow(metric []float64, h HPA) []float64 {
	out := make([]float64, len(metric))
	if len(metric) == 0 {
		return out
	}
	window := max(1, int(h.Stabilization/hpaSync))
	// At a constant metric nothing changes any more after a full window and the scale-up.
	const scaleUpSyncs = 32
	syncs := min(max(1, int(t.step/hpaSync)), window+scaleUpSyncs)
	current := h.bounded(math.Ceil(metric[0]/t.capacity - 1e-9))
	recent := make([]float64, window) // ring buffer of recommendations
	for i := range recent {
		recent[i] = current
	}
	past := newHPAPast(h.Ramp, current)
	next, largest := 0, current
	for i, m := range metric {
		for range syncs {
			at := next % window
			left := recent[at]
			recent[at] = t.recommend(m, current)
			next++
			if largest = max(largest, recent[at]); left == largest && recent[at] < left {
				largest = recent[0]
				for _, r := range recent[1:] {
					largest = max(largest, r)
				}
			}
			current = h.bounded(min(largest, max(current, past.limit(current))))
			past.add(current)
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

// bounded applies the bounds of the HPA.
func (h HPA) bounded(n float64) float64 {
	n = max(n, float64(h.MinReplicas))
	if h.MaxReplicas > 0 {
		n = min(n, float64(h.MaxReplicas))
	}
	return n
}

// hpaPast is the replicas of an HPA at its last syncs. Its scale-up policies count from there.
type hpaPast struct {
	ramp     planner.Ramp
	replicas []float64 // ring by sync
	syncs    int
}

func newHPAPast(ramp planner.Ramp, current float64) *hpaPast {
	longest := 1
	for _, p := range ramp.Policies {
		longest = max(longest, int(p.Period/hpaSync))
	}
	past := &hpaPast{ramp: ramp, replicas: make([]float64, longest)}
	for i := range past.replicas {
		past.replicas[i] = current
	}
	return past
}

func (p *hpaPast) add(replicas float64) {
	p.replicas[p.syncs%len(p.replicas)] = replicas
	p.syncs++
}

// limit returns the most replicas that the next sync may have.
func (p *hpaPast) limit(current float64) float64 {
	switch {
	case p.ramp.None:
		return math.Inf(1)
	case p.ramp.Select == planner.SelectDisabled:
		return current
	case len(p.ramp.Policies) == 0:
		return max(hpaScaleUpFactor*current, hpaScaleUpMinimum)
	}
	best := math.NaN()
	for _, policy := range p.ramp.Policies {
		back := max(1, int(policy.Period/hpaSync))
		start := p.replicas[(p.syncs+len(p.replicas)-back)%len(p.replicas)]
		limit := start + float64(policy.Value)
		if policy.Kind == planner.PolicyPercent {
			limit = math.Ceil(start * (1 + float64(policy.Value)/100))
		}
		switch {
		case math.IsNaN(best):
			best = limit
		case p.ramp.Select == planner.SelectMin:
			best = min(best, limit)
		default:
			best = max(best, limit)
		}
	}
	return best
}
