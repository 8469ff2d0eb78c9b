package plan

import "math"

const (
	// MaxReplicas is the most replicas that a demand is rounded to. A demand that needs more is a
	// mistake in units.
	MaxReplicas = 1 << 30
	// slack absorbs the rounding error of the division: 0.3 / 0.1 is 3 replicas, not 4.
	slack = 1e-9
)

// Replicas returns how many replicas serve a demand when each of them serves capacity: the
// quotient, rounded up. It is 0 when the demand or the capacity is not above 0, and at most
// [MaxReplicas].
//
// This is the only rounding from demand to replicas. The HPA rounds up in the same way.
func Replicas(demand, capacity float64) int {
	if !(demand > 0 && capacity > 0) {
		return 0
	}
	n := math.Ceil(demand/capacity - slack)
	switch {
	case !(n > 0): // Also Inf / Inf, which is NaN.
		return 0
	case n > MaxReplicas:
		return MaxReplicas
	}
	return int(n)
}

// Within returns the replicas that an HPA without a tolerance asks for at a demand: [Replicas],
// from minReplicas to maxReplicas. There is no upper bound if maxReplicas is 0. A reactive policy
// asks for that many at the demand that it observes.
func Within(demand, capacity float64, minReplicas, maxReplicas int) int {
	n := max(minReplicas, Replicas(demand, capacity))
	if maxReplicas > 0 {
		n = min(n, maxReplicas)
	}
	return n
}
