// Package values keeps the values of a series in little memory.
package values

import "math"

// Given is demand as it was given; NaN is a gap. It keeps the values itself, or uses those of a
// series that somebody else keeps and never changes.
type Given struct {
	shared []float64 // somebody else's values
	offset int       // step i is shared[i+offset], for the first count steps
	count  int
	differ Sparse    // the values of those of them that are not as in shared
	own    []float64 // the values of the steps after them
}

// NewGiven returns an empty series with room for so many steps.
func NewGiven(room int) Given { return Given{own: make([]float64, 0, room)} }

// N returns the number of steps.
func (g *Given) N() int { return g.count + len(g.own) }

// Append appends a step.
func (g *Given) Append(v float64) { g.own = append(g.own, v) }

// At returns the value of step i.
func (g *Given) At(i int) float64 {
	if i >= g.count {
		return g.own[i-g.count]
	}
	if v, ok := g.differ.At(i); ok {
		return v
	}
	return g.shared[i+g.offset]
}

// KeepFrom drops the steps before step from, keeps all others itself, and returns them. It leaves
// room for slack more.
func (g *Given) KeepFrom(from, slack int) []float64 {
	if from == 0 && g.count == 0 {
		return g.own
	}
	values := make([]float64, 0, g.N()-from+slack)
	for i := from; i < g.N(); i++ {
		values = append(values, g.At(i))
	}
	*g = Given{own: values}
	return values
}

// Share makes the series use values, in which its step i is values[i+offset], where they agree.
func (g *Given) Share(values []float64, offset int) {
	if g.shares(values, offset) {
		return
	}
	count := max(0, min(g.N(), len(values)-offset))
	var differ Sparse
	for i := range count {
		if v := g.At(i); i+offset < 0 || math.Float64bits(v) != math.Float64bits(values[i+offset]) {
			differ.Add(i, v)
		}
	}
	own := make([]float64, 0, g.N()-count)
	for i := count; i < g.N(); i++ {
		own = append(own, g.At(i))
	}
	*g = Given{shared: values, offset: offset, count: count, differ: differ, own: own}
}

// shares reports whether the series already uses the memory of values, for as much of it as it can.
func (g *Given) shares(values []float64, offset int) bool {
	last := g.count - 1
	if last < 0 || last+g.offset < 0 || last+offset < 0 || last+offset >= len(values) {
		return false
	}
	return &g.shared[last+g.offset] == &values[last+offset]
}
