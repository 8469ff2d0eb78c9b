package evidence

import (
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// Changed reports whether the doors should know of a newly learned capacity. Small changes do
// not come this far.
func Changed(old, now *v1alpha1.CapacityStatus) bool {
	learned := func(s *v1alpha1.CapacityStatus) bool { return s != nil && s.Source == plan.CapacityFromLearning }
	if !learned(old) && !learned(now) {
		return false
	}
	return old == nil || now == nil || old.Value.Cmp(now.Value) != 0
}

// Lacks returns which share of replicas more a newly learned capacity asks for. Too few
// replicas cannot wait for a write as long as too many can.
func Lacks(old, now *v1alpha1.CapacityStatus) float64 {
	if old == nil || !Changed(old, now) || now == nil {
		return 0
	}
	before, after := old.Value.AsApproximateFloat64(), now.Value.AsApproximateFloat64()
	if !(before > 0) || !(after > 0) {
		return 0
	}
	return max(0, before/after-1)
}
