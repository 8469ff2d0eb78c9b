package weights

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// A mix judges weights by the blocks. It counts in shares: how much of the mean load each term
// makes. They add up to 1.
type mix struct {
	blocks []block // the terms relative to their means
	means  []float64
	load   float64   // the mean, by the given weights
	given  []float64 // shares
	before []float64 // the given weights
	// points and pools are the memory of fit.
	points []point
	pools  []pool
}

const (
	// leastShare is the least share that the search gives a term. One that has less keeps its share:
	// latency says nothing about it.
	leastShare = 0.01
	// maxSweeps bounds how often the search looks at all pairs of terms with steps of one size.
	maxSweeps = 50
)

func newMix(blocks []block, given []float64) *mix {
	m := &mix{means: make([]float64, len(given)), given: make([]float64, len(given)), before: given}
	for _, b := range blocks {
		for k, t := range b.terms {
			m.means[k] += t / float64(len(blocks))
		}
	}
	m.load = dot(given, m.means)
	for k, w := range given {
		m.given[k] = min(w, largest) * m.means[k] / m.load
	}
	for _, b := range blocks {
		relative := make([]float64, len(b.terms))
		for k, t := range b.terms {
			if relative[k] = 1; m.means[k] > 0 {
				relative[k] = t / m.means[k]
			}
		}
		m.blocks = append(m.blocks, block{b.slot, b.day, relative, b.latency})
	}
	return m
}

// weights returns the weights of shares. A term that makes hardly any load keeps its weight.
func (m *mix) weights(shares []float64) []float64 {
	out := slices.Clone(m.before)
	for k, s := range shares {
		if w := s * m.load / m.means[k]; !m.rare(k) && w > 0 && w <= largest {
			out[k] = w
		}
	}
	return out
}

// rare reports whether a term makes too little of the load to say anything about it.
func (m *mix) rare(k int) bool { return m.given[k] < leastShare }

// highLatency returns the latency that a twentieth of the blocks exceed, relative to the objective.
func (m *mix) highLatency() float64 {
	all := make([]float64, len(m.blocks))
	for i, b := range m.blocks {
		all[i] = b.latency
	}
	slices.Sort(all)
	return math.Exp(all[int(highLoad*float64(len(all)-1))])
}

// varies returns the standard deviation of the part that a term has in the load, relative to its
// mean, of the term that varies the most.
func (m *mix) varies() float64 {
	most := 0.0
	for k := range m.given {
		mean, square := 0.0, 0.0
		for i, b := range m.blocks {
			part := b.terms[k] / dot(m.given, b.terms)
			d := part - mean
			mean += d / float64(i+1)
			square += d * (part - mean)
		}
		if mean > 0 {
			most = max(most, math.Sqrt(square/float64(len(m.blocks)))/mean)
		}
	}
	return most
}

// judge returns on how many days other weights are better than the given ones, and by which share
// of what these leave unexplained. The weights of a day are found, and both regressions made,
// without the days of its group.
func (m *mix) judge() (days int, gain float64) {
	type left struct{ found, given float64 }
	byDay := map[int]left{}
	for fold := range folds {
		outside := func(b block) bool { return b.day%folds != fold }
		shares := m.search(outside)
		found, given := m.fit(shares, outside), m.fit(m.given, outside)
		if len(found.loads) == 0 {
			continue // all days are of this group
		}
		for _, b := range m.blocks {
			if outside(b) {
				continue
			}
			l := byDay[b.day]
			l.found += square(b.latency - found.at(dot(shares, b.terms)))
			l.given += square(b.latency - given.at(dot(m.given, b.terms)))
			byDay[b.day] = l
		}
	}
	all := left{}
	for _, day := range slices.Sorted(maps.Keys(byDay)) {
		l := byDay[day]
		if l.found < l.given {
			days++
		}
		all.found, all.given = all.found+l.found, all.given+l.given
	}
	if all.given > 0 {
		gain = 1 - all.found/all.given
	}
	return days, gain
}

// search returns the shares that leave the least unexplained over some of the blocks.
func (m *mix) search(of func(block) bool) []float64 {
	shares := slices.Clone(m.given)
	best := m.fit(shares, of).left
	for _, step := range []float64{0.4, 0.1, 0.03, 0.01} {
		moved := true
		for sweep := 0; moved && sweep < maxSweeps; sweep++ {
			moved = false
			for from := range shares {
				for to := range shares {
					d := min(step, shares[from]-leastShare)
					if from == to || d < 1e-9 || m.rare(from) || m.rare(to) {
						continue
					}
					next := slices.Clone(shares)
					next[from], next[to] = next[from]-d, next[to]+d
					if left := m.fit(next, of).left; left < best*(1-1e-9) {
						shares, best, moved = next, left, true
					}
				}
			}
		}
	}
	return shares
}

// A curve is a monotone regression of latency on load: latency rises from pool to pool. left is the
// sum of squares that it leaves.
type curve struct {
	loads, values []float64 // the lowest load of each pool, and its latency
	left          float64
}

type point struct{ load, latency float64 }

type pool struct{ load, mean, n, left float64 }

// fit returns the regression over some of the blocks.
func (m *mix) fit(shares []float64, of func(block) bool) curve {
	points := m.points[:0]
	for _, b := range m.blocks {
		if of(b) {
			points = append(points, point{dot(shares, b.terms), b.latency})
		}
	}
	slices.SortFunc(points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.load, b.load), cmp.Compare(a.latency, b.latency))
	})
	m.points = points
	pools := m.pools[:0]
	for _, p := range points {
		next := pool{p.load, p.latency, 1, 0}
		for n := len(pools); n > 0 && pools[n-1].mean >= next.mean; n-- {
			last := pools[n-1]
			d, all := next.mean-last.mean, last.n+next.n
			next = pool{last.load, last.mean + d*next.n/all, all, last.left + next.left + d*d*last.n*next.n/all}
			pools = pools[:n-1]
		}
		pools = append(pools, next)
	}
	m.pools = pools
	out := curve{loads: make([]float64, 0, len(pools)), values: make([]float64, 0, len(pools))}
	for _, p := range pools {
		out.loads, out.values = append(out.loads, p.load), append(out.values, p.mean)
		out.left += p.left
	}
	return out
}

// at returns the latency at a load. Nobody knows what is beyond the loads that were seen.
func (c curve) at(load float64) float64 {
	i, found := slices.BinarySearch(c.loads, load)
	if !found {
		i--
	}
	return c.values[max(i, 0)]
}

func square(v float64) float64 { return v * v }
