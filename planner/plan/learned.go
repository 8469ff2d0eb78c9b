package plan

import (
	"math"

	"headstart.dev/headstart/api/v1alpha1"
)

// CapacityFromLearning is the source of a capacity in status that was learned.
const CapacityFromLearning = "Learned"

// LearnedCapacity says which learned capacity in status counts for a spec. The controller plans with
// it and every door divides by it, so both ask here.
type LearnedCapacity struct {
	// Min and Max bound the capacity. Max is +Inf without a bound.
	Min, Max float64
	// DemandHash and ObjectiveHash are those of [v1alpha1.CapacityStatus], by the spec.
	DemandHash, ObjectiveHash string
}

// Use returns the capacity that counts: what was learned, or the configured one. What was learned of
// another demand does not count, and what was learned for another objective only lowers the
// configured capacity. status may be nil. A configured capacity of 0 is not known, and so is a result
// of 0.
func (l LearnedCapacity) Use(status *v1alpha1.CapacityStatus, configured float64) float64 {
	configured = l.bound(configured)
	if status == nil || status.Source != CapacityFromLearning || status.DemandHash != l.DemandHash {
		return configured
	}
	learned := status.Value.AsApproximateFloat64()
	if !(learned > 0) || math.IsInf(learned, 0) {
		return configured
	}
	learned = l.bound(learned)
	if status.ObjectiveHash != l.ObjectiveHash && configured > 0 {
		return min(learned, configured)
	}
	return learned
}

// bound returns a capacity within the bounds; one that is not known stays so.
func (l LearnedCapacity) bound(capacity float64) float64 {
	if !(capacity > 0) {
		return capacity
	}
	return min(max(capacity, l.Min), l.Max)
}
