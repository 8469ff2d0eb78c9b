package scheduler

import "math"

// Demand is what all windows together say about one instant, or about one step of a timeline. Its parts apply in one order:
// the forecast times Multiply, plus Add, then at least AtLeast and what Replicas serve, then at most AtMost.
type Demand struct {
	// Multiply is the product of all factors that apply; 1 without one.
	Multiply float64
	// Add is the sum of all additions, in the unit of demand; 0 without one.
	Add float64
	// MultiplyTo and AddTo are what Multiply and Add are on their way up to while windows ramp; otherwise they are the same.
	MultiplyTo, AddTo float64
	// AtLeast is the largest minimum, in the unit of demand; 0 without one.
	AtLeast float64
	// Replicas is the largest minimum in replicas; 0 without one. It is fractional on a ramp.
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

// top returns what Multiply and Add are on their way up to.
func (d Demand) top() (multiply, add float64) {
	return math.Max(d.Multiply, d.MultiplyTo), math.Max(d.Add, d.AddTo)
}

// Apply returns the demand to cover where the forecast, as it would be without any peak, says forecast. Both forecast and
// capacityPerReplica are in the unit of demand; without a known capacity pass 0, and Replicas says nothing. Bounds and the
// observed demand come after it and are the planner's. A forecast of NaN stays NaN: unknown is not a number.
//
// On the way up of a factor or an addition the last part of the whole is taken at once, see [RampStep].
func (d Demand) Apply(forecast, capacityPerReplica float64) float64 {
	value := forecast*d.Multiply + d.Add
	multiply, add := d.top()
	if full := forecast*multiply + add; value < full && value*RampStep >= full*(1-rounding) {
		value = full
	}
	value = math.Max(value, math.Max(d.AtLeast, d.Replicas*capacityPerReplica))
	return math.Min(value, d.AtMost)
}

// And returns what d and other say together, as of windows that are active at the same time.
func (d Demand) And(other Demand) Demand {
	multiply, add := d.top()
	otherMultiply, otherAdd := other.top()
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

// arrived returns d at the end of its way up. It is what covers a time in which other factors change: whether the last part of the
// whole is taken is then decided differently at each instant.
func (d Demand) arrived() Demand {
	d.Multiply, d.Add = d.top()
	return d
}

// envelope returns a Demand whose Apply is never below that of d or of other.
func (d Demand) envelope(other Demand) Demand {
	multiply, add := d.top()
	otherMultiply, otherAdd := other.top()
	e := Demand{
		Multiply:   math.Max(d.Multiply, other.Multiply),
		Add:        math.Max(d.Add, other.Add),
		MultiplyTo: math.Max(multiply, otherMultiply),
		AddTo:      math.Max(add, otherAdd),
		AtLeast:    math.Max(d.AtLeast, other.AtLeast),
		Replicas:   math.Max(d.Replicas, other.Replicas),
		AtMost:     math.Max(d.AtMost, other.AtMost),
	}
	// One that is on its way to less than both may have taken its last part already, while both have not.
	for _, one := range []Demand{d, other} {
		toMultiply, toAdd := one.top()
		rises := toMultiply > one.Multiply || toAdd > one.Add
		if rises && (toMultiply < e.MultiplyTo || toAdd < e.AddTo) {
			e.Multiply, e.Add = math.Max(e.Multiply, toMultiply), math.Max(e.Add, toAdd)
		}
	}
	return e
}
