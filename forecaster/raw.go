package forecaster

import "math"

// A rawSeries is demand as it was given; NaN is a gap. It keeps the values itself, or uses those of
// a series that somebody else keeps and never changes.
type rawSeries struct {
	shared []float64 // somebody else's values
	offset int       // step i is shared[i+offset], for the first count steps
	count  int
	differ sparse    // the values of those of them that are not as in shared
	own    []float64 // the values of the steps after them
}

func (r *rawSeries) n() int { return r.count + len(r.own) }

func (r *rawSeries) append(v float64) { r.own = append(r.own, v) }

// at returns the value of step i.
func (r *rawSeries) at(i int) float64 {
	if i >= r.count {
		return r.own[i-r.count]
	}
	if v, ok := r.differ.at(i); ok {
		return v
	}
	return r.shared[i+r.offset]
}

// keepFrom drops the steps before step from, keeps all others itself, and returns them. It leaves
// room for slack more.
func (r *rawSeries) keepFrom(from, slack int) []float64 {
	if from == 0 && r.count == 0 {
		return r.own
	}
	values := make([]float64, 0, r.n()-from+slack)
	for i := from; i < r.n(); i++ {
		values = append(values, r.at(i))
	}
	*r = rawSeries{own: values}
	return values
}

// share makes the series use values, in which its step i is values[i+offset], where they agree.
func (r *rawSeries) share(values []float64, offset int) {
	if r.shares(values, offset) {
		return
	}
	count := max(0, min(r.n(), len(values)-offset))
	var differ sparse
	for i := range count {
		if v := r.at(i); i+offset < 0 || math.Float64bits(v) != math.Float64bits(values[i+offset]) {
			differ.add(i, v)
		}
	}
	own := make([]float64, 0, r.n()-count)
	for i := count; i < r.n(); i++ {
		own = append(own, r.at(i))
	}
	*r = rawSeries{shared: values, offset: offset, count: count, differ: differ, own: own}
}

// shares reports whether the series already uses the memory of values, for as much of it as it can.
func (r *rawSeries) shares(values []float64, offset int) bool {
	last := r.count - 1
	if last < 0 || last+offset < 0 || last+offset >= len(values) {
		return false
	}
	return &r.shared[last+r.offset] == &values[last+offset]
}
