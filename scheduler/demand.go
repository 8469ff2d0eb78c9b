package scheduler

import "math"

// Demand is what all windows together say about one instant, or about one step of a timeline. Its parts apply in one order:
// the forecast times Multiply, plus Add, then at least AtLeast and what Replicas serve, then at most AtMost.
type Demand struct {
	// Multiply is the product of all factors that apply; 1 without one.
	Multiply float64
	// Add is the sum of all additions, in the unit of demand; 0 without one.
	Add float64
	// AtLeast is the largest minimum, in the unit of demand; 0 without one.
	AtLeast float64
	// Replicas is the largest minimum in replicas; 0 without one. It is fractional on a ramp.
	Replicas float64
	// AtMost is the smallest maximum, in the unit of demand; +Inf without one.
	AtMost float64
}

// Neutral returns the Demand that leaves every forecast as it is.
func Neutral() Demand {
	return Demand{Multiply: 1, AtMost: math.Inf(1)}
}

// IsNeutral reports whether d leaves every forecast as it is.
func (d Demand) IsNeutral() bool {
	return d == Neutral()
}

// Apply returns the demand to cover where the forecast, as it would be without any peak, says forecast. Both forecast and
// capacityPerReplica are in the unit of demand; without a known capacity pass 0, and Replicas says nothing. Bounds and the
// observed demand come after it and are the planner's. A forecast of NaN stays NaN: unknown is not a number.
func (d Demand) Apply(forecast, capacityPerReplica float64) float64 {
	value := forecast*d.Multiply + d.Add
	value = math.Max(value, math.Max(d.AtLeast, d.Replicas*capacityPerReplica))
	return math.Min(value, d.AtMost)
}

// And returns what d and other say together, as of windows that are active at the same time.
func (d Demand) And(other Demand) Demand {
	return Demand{
		Multiply: d.Multiply * other.Multiply,
		Add:      d.Add + other.Add,
		AtLeast:  math.Max(d.AtLeast, other.AtLeast),
		Replicas: math.Max(d.Replicas, other.Replicas),
		AtMost:   math.Min(d.AtMost, other.AtMost),
	}
}

// envelope returns a Demand whose Apply is never below that of d or of other.
func (d Demand) envelope(other Demand) Demand {
	return Demand{
		Multiply: math.Max(d.Multiply, other.Multiply),
		Add:      math.Max(d.Add, other.Add),
		AtLeast:  math.Max(d.AtLeast, other.AtLeast),
		Replicas: math.Max(d.Replicas, other.Replicas),
		AtMost:   math.Max(d.AtMost, other.AtMost),
	}
}
