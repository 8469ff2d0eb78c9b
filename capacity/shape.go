package capacity

import "math"

// A fitted law says how latency relative to the objective depends on the load u per replica:
//
//	latency = a + d u + b (u/c)^p / (1 - u/c)
//
// The first part is the time of a request alone. The second is what others in the same batch add.
// The third is waiting, which grows without bound towards saturation at c.
type fitted struct {
	a, d, b, c float64
	p          int // a power of two
	loss       float64
}

func (l *fitted) at(load float64) float64 { return l.a + l.d*load + l.b*waiting(load/l.c, l.p) }

func waiting(x float64, p int) float64 {
	power := x
	for ; p > 1; p /= 2 {
		power *= power
	}
	return power / (1 - x)
}

// fit finds a, d and b, at least 0, by least squares on relative errors. Groups far from the limit
// count less: the law is to be right near it.
func fit(groups []group, c float64, p int) (fitted, bool) {
	law := fitted{c: c, p: p}
	highest := groups[len(groups)-1].load
	weight := func(g group) float64 {
		near := g.load / highest
		return near * near * g.steps / (g.steps + 100)
	}
	for round := range 3 { // what lies far off counts less from the second round on
		var m moments
		for _, g := range groups {
			w := weight(g) / (g.quantile * g.quantile)
			if round > 0 {
				if r := math.Abs(g.quantile-law.at(g.load)) / g.quantile; r > 0.1 {
					w *= 0.1 / r
				}
			}
			m.add(w, [terms]float64{1, g.load / highest, waiting(g.load/c, p)}, g.quantile)
		}
		x, ok := m.solve()
		if !ok {
			return law, false
		}
		law.a, law.d, law.b = x[0], x[1]/highest, x[2]
	}
	for _, g := range groups {
		r := min(math.Abs(g.quantile-law.at(g.load))/g.quantile, 0.3)
		law.loss += weight(g) * r * r
	}
	return law, true
}

// cross returns the load at which the law meets the objective. It looks no farther than twice as far
// as the law is trusted.
func (l *fitted) cross(highest float64) float64 {
	low, high := 0.0, min(l.c*(1-1e-9), 2*farthest*highest)
	if l.at(high) <= 1 {
		return high
	}
	for high-low > 1e-4*highest {
		mid := (low + high) / 2
		if l.at(mid) <= 1 {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

const terms = 3

// moments are the normal equations of a least squares fit.
type moments struct {
	xx [terms][terms]float64
	xy [terms]float64
	yy float64
}

func (m *moments) add(w float64, x [terms]float64, y float64) {
	for i := range x {
		for j := range x {
			m.xx[i][j] += w * x[i] * x[j]
		}
		m.xy[i] += w * x[i] * y
	}
	m.yy += w * y * y
}

// solve returns the best coefficients that are at least 0. With three of them, all choices of those
// that are above 0 can be tried.
func (m *moments) solve() (best [terms]float64, ok bool) {
	least := math.Inf(1)
	for set := 1; set < 1<<terms; set++ {
		x, solved := m.solveFor(set)
		if !solved {
			continue
		}
		rest := m.yy
		for i := range x {
			rest -= x[i] * m.xy[i]
		}
		if rest < least {
			least, best, ok = rest, x, true
		}
	}
	return best, ok
}

// solveFor solves for the coefficients in a set of bits, by elimination. It reports whether they are
// all above 0.
func (m *moments) solveFor(set int) (x [terms]float64, ok bool) {
	a, y := m.xx, m.xy
	for i := range terms {
		if set>>i&1 == 0 {
			a[i] = [terms]float64{}
			a[i][i], y[i] = 1, 0
		}
	}
	for i := range terms {
		if !(a[i][i] > 1e-10*m.xx[i][i]) {
			return x, false
		}
		for j := i + 1; j < terms; j++ {
			f := a[j][i] / a[i][i]
			for k := i; k < terms; k++ {
				a[j][k] -= f * a[i][k]
			}
			y[j] -= f * y[i]
		}
	}
	for i := terms - 1; i >= 0; i-- {
		x[i] = y[i]
		for k := i + 1; k < terms; k++ {
			x[i] -= a[i][k] * x[k]
		}
		x[i] /= a[i][i]
	}
	for i := range terms {
		if set>>i&1 == 1 && !(x[i] > 0) {
			return x, false
		}
	}
	return x, true
}
