package learned

import (
	"math"
	"sort"

	"headstart.dev/headstart/capacity"
)

// misses is how often steps miss the objective by their load per replica. It never falls with load.
type misses struct{ loads, shares []float64 }

// misses returns the isotonic regression of the share of misses on the load: neighbours that fall are
// pooled.
func (s Summary) misses() misses {
	type pool struct {
		missed, steps float64
		points        int
	}
	var pools []pool
	var out misses
	for _, p := range s.Curve {
		if !(p.Steps > 0) {
			continue
		}
		out.loads = append(out.loads, p.Load)
		next := pool{min(p.Missed, p.Steps), p.Steps, 1}
		for n := len(pools); n > 0 && pools[n-1].missed*next.steps >= next.missed*pools[n-1].steps; n-- {
			last := pools[n-1]
			next = pool{last.missed + next.missed, last.steps + next.steps, last.points + next.points}
			pools = pools[:n-1]
		}
		pools = append(pools, next)
	}
	for _, p := range pools {
		for range p.points {
			out.shares = append(out.shares, p.missed/p.steps)
		}
	}
	return out
}

// at returns the share of misses at a load. Nobody knows what is beyond the highest load that was
// seen: all of it counts as missed.
func (m misses) at(load float64) float64 {
	i := sort.SearchFloat64s(m.loads, load)
	switch {
	case i == len(m.loads):
		return 1
	case i == 0:
		return m.shares[0]
	}
	part := (load - m.loads[i-1]) / (m.loads[i] - m.loads[i-1])
	return m.shares[i-1] + part*(m.shares[i]-m.shares[i-1])
}

// Met returns the share of steps that meet the objective when ready replicas serve a demand. serves is
// what a replica serves in each step; a step of another time counts by its load relative to that. It
// reports false where no limit was seen, or there is no demand. A demand that is NaN does not count.
func (s Summary) Met(demand, ready, serves []float64) (share float64, ok bool) {
	m := s.misses()
	if s.Source != capacity.SourceLearned || len(m.loads) == 0 {
		return 0, false
	}
	missed, steps := 0.0, 0.0
	for i, d := range demand {
		if math.IsNaN(d) || d <= 0 {
			continue
		}
		steps++
		if ready[i] <= 0 {
			missed++
			continue
		}
		missed += m.at(d / ready[i] / serves[i] * s.Used)
	}
	if steps == 0 {
		return 0, false
	}
	return 1 - missed/steps, true
}
