package planner

import (
	"time"
)

// releaseEarly lowers a plan for what overflows from another cluster before the demand ends, where
// the HPA keeps the replicas until then all the same. values is the plan; it returns the values to
// serve.
//
// An HPA keeps the replicas of a recommendation for its scale-down window. So what is served may
// fall that much earlier, less one sync, and the replicas end with the demand and not a window
// later. This holds where
//   - the HPA states its window. Else the flag of its controller counts, which nobody can read;
//   - demand stays low for a window afterwards. Else the HPA would have kept the replicas in
//     between;
//   - what falls was served for a sync at least, so that the HPA has seen it. Each rise of a plan
//     lasts for a lead, so the plan falls early by less than a lead, and a sync less. Replicas that
//     are requested later than that would not be ready in time anyway.
//
// A Forecast with demand of its own does not do this: what its own demand needs may rise meanwhile.
func (in StepInput) releaseEarly(values []float64) []float64 {
	set := in.Settings
	early := in.releaseSteps()
	if set.OverflowOf == nil || set.HasDemand || early <= 0 || early >= len(values) {
		return values
	}
	window := stepsOf(set.Scaling.HoldsFor, set.Step)
	later := slidingMax(values[early:], len(values)-early, window+1)
	out := make([]float64, len(values))
	copy(out, values)
	for i := 0; i+early+window < len(values); i++ { // What comes after the plan is not known.
		out[i] = min(values[i], later[i])
	}
	return out
}

// releaseSteps returns how many steps before the end of a demand its replicas may be given up.
func (in StepInput) releaseSteps() int {
	set := in.Settings
	sync := set.Scaling.Ramp.sync()
	return min(int((set.Scaling.HoldsFor-sync)/set.Step), in.leadSteps()-stepsOf(sync, set.Step))
}

// stepsOf returns how many steps a time takes, rounded up.
func stepsOf(d, step time.Duration) int { return int((d + step - 1) / step) }
