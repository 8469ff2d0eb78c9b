package capacity

import "math"

// A pool is evidence at neighbouring loads that a monotone regression takes together.
type pool struct {
	met, missed float64
	first, last int // bins
}

func (p pool) share() float64 { return p.missed / (p.met + p.missed) }

// pools returns the monotone regression of the share of misses on the load, in order of load: the
// share rises from pool to pool.
func (s *summary) pools() []pool {
	var pools []pool
	for i := range s.bins {
		p := pool{float64(s.bins[i].met), float64(s.bins[i].missed), i, i}
		if p.met+p.missed == 0 {
			continue
		}
		for n := len(pools); n > 0 && pools[n-1].share() >= p.share(); n-- {
			before := pools[n-1]
			p = pool{p.met + before.met, p.missed + before.missed, before.first, i}
			pools = pools[:n-1]
		}
		pools = append(pools, p)
	}
	return pools
}

// carried returns the largest load such that the regression has few enough misses there, and enough
// steps were seen there or between it and the limit.
func (s *summary) carried(attain float64) float64 {
	last := -1
	for _, p := range s.pools() {
		if p.share() <= 1-attain {
			last = p.last
		}
	}
	steps := 0.0
	for i := last; i >= 0; i-- {
		if steps += s.bins[i].steps(); steps >= enoughCarried*s.weight {
			return s.load(i)
		}
	}
	return 0
}

// limit returns the load from which the objective is missed too often for certain. It reports
// whether there is one: where no lower load is better, fewer replicas are not the reason.
func (s *summary) limit(attain float64) (load float64, seen bool) {
	better := 0.0
	for _, p := range s.pools() {
		n := (p.met + p.missed) / s.weight
		if p.share() <= 1-attain {
			better += n
		}
		if better >= enoughCarried && atLeastShare(p.share(), n/together) > 1-attain {
			return s.load(p.first), true
		}
	}
	return 0, false
}

// together is how many steps in a row are about as good as one: neighbours share their bursts.
const together = 3

// atLeastShare returns the lower bound of a share that was seen in n steps: Wilson's, at 90 %.
func atLeastShare(share, n float64) float64 {
	const z = 1.2816
	middle := share + z*z/(2*n)
	half := z * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	return (middle - half) / (1 + z*z/n)
}

// counts returns the steps that met and that missed the objective.
func (s *summary) counts() (met, missed float64) {
	for i := range s.bins {
		met += float64(s.bins[i].met)
		missed += float64(s.bins[i].missed)
	}
	if s.weight == 0 {
		return 0, 0
	}
	return met / s.weight, missed / s.weight
}

// missedNear reports whether the objective was really missed at loads about a limit and up to the
// default. Without that, a law alone does not lower the default.
func (s *summary) missedNear(limit, usual, allowed float64) bool {
	met, missed := 0.0, 0.0
	for i := range s.bins {
		if s.load(i+1) >= 0.9*limit && s.load(i) <= usual {
			met += float64(s.bins[i].met)
			missed += float64(s.bins[i].missed)
		}
	}
	return missed >= 3*s.weight && missed >= allowed/5*(met+missed)
}
