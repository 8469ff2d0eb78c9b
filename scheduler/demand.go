package scheduler

import "math"

// Demand is what all windows together say about one instant, or about one step of a timeline. Its
// fields apply in one order: the forecast times Multiply, plus Add, then at least AtLeast and at
// least what Replicas serve, then at most AtMost.
type Demand struct {
	// Multiply is the product of all factors; 1 without one.
	Multiply float64
	// Add is the sum of all additions, in the unit of demand; 0 without one.
	Add float64
	// MultiplyTo and AddTo are what Multiply and Add reach at the end of a ramp-up. Without a
	// ramp-up they are the same as Multiply and Add.
	MultiplyTo, AddTo float64
	// AtLeast is the largest minimum, in the unit of demand; 0 without one.
	AtLeast float64
	// Replicas is the largest minimum in replicas; 0 without one. On a ramp it is a fraction.
	Replicas float64
	// AtMost is the smallest maximum, in the unit of demand; +Inf without one.
	AtMost float64
}

// Neutral returns the Demand that leaves every forecast as it is.
func Neutral() Demand {
	return Demand{Multiply: 1, MultiplyTo: 1, AtMost: math.Inf(1)}
}

// IsNeutral reports whether d leaves every forecast as it is.
func (d Demand) IsNeutral() bool {
	return d == Neutral()
}

// target returns what Multiply and Add reach at the end of their ramp-ups.
func (d Demand) target() (multiply, add float64) {
	return math.Max(d.Multiply, d.MultiplyTo), math.Max(d.Add, d.AddTo)
}

// Apply returns the demand to cover. forecast is the expected demand without any peak, and
// capacityPerReplica the demand that one replica serves, both in the unit of demand. Where the
// capacity is not known, pass 0; then Replicas has no effect. A forecast of NaN stays NaN, because
// unknown is not a number. The planner applies bounds and observed demand afterwards.
//
// Near the end of a ramp-up of a factor or an addition, the full value counts, see [RampStep].
func (d Demand) Apply(forecast, capacityPerReplica float64) float64 {
	value := forecast*d.Multiply + d.Add
	multiply, add := d.target()
	if full := forecast*multiply + add; value < full && value*RampStep >= full*(1-roundingError) {
		value = full
	}
	value = math.Max(value, math.Max(d.AtLeast, d.Replicas*capacityPerReplica))
	return math.Min(value, d.AtMost)
}

// And returns what d and other say together, as windows do that are active at the same time.
func (d Demand) And(other Demand) Demand {
	multiply, add := d.target()
	otherMultiply, otherAdd := other.target()
	return Demand{
		Multiply:   d.Multiply * other.Multiply,
		Add:        d.Add + other.Add,
		MultiplyTo: multiply * otherMultiply,
		AddTo:      add + otherAdd,
		AtLeast:    math.Max(d.AtLeast, other.AtLeast),
		Replicas:   math.Max(d.Replicas, other.Replicas),
		AtMost:     math.Min(d.AtMost, other.AtMost),
	}
}

// rampedUp returns d as it is at the end of all ramp-ups. It is an upper bound for a time in which
// other factors change: at each instant of that time, [RampStep] may apply or not.
func (d Demand) rampedUp() Demand {
	d.Multiply, d.Add = d.target()
	return d
}

// envelope returns a Demand whose Apply is never below that of d or of other.
func (d Demand) envelope(other Demand) Demand {
	multiply, add := d.target()
	otherMultiply, otherAdd := other.target()
	e := Demand{
		Multiply:   math.Max(d.Multiply, other.Multiply),
		Add:        math.Max(d.Add, other.Add),
		MultiplyTo: math.Max(multiply, otherMultiply),
		AddTo:      math.Max(add, otherAdd),
		AtLeast:    math.Max(d.AtLeast, other.AtLeast),
		Replicas:   math.Max(d.Replicas, other.Replicas),
		AtMost:     math.Max(d.AtMost, other.AtMost),
	}
	// At the end of its ramp-up, one of the two may have its full value already, see RampStep,
	// while e, which rises to more, has not.
	for _, one := range []Demand{d, other} {
		toMultiply, toAdd := one.target()
		rising := toMultiply > one.Multiply || toAdd > one.Add
		if rising && (toMultiply < e.MultiplyTo || toAdd < e.AddTo) {
			e.Multiply, e.Add = math.Max(e.Multiply, toMultiply), math.Max(e.Add, toAdd)
		}
	}
	return e
}
