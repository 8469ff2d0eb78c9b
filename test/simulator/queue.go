package simulator

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	// fullAt is the load at which the replicas of a service are full, as a multiple of their capacity:
	// the objective is missed before that.
	fullAt = 1.25
	// slowest is the most that a queue's latency is, in seconds: a client gives up then.
	slowest = 10.0
	// noise of the latency, relative to it.
	noise = 0.04
	// idle is the latency without load, relative to the objective.
	idle = 1 - 1/fullAt
)

// queue is the queue in front of a service. Its latency follows the load of the ready replicas: as a
// queue's does until they are full, and by what has piled up from then on. At the capacity the latency
// is the objective.
type queue struct{ piledUp float64 }

// add adds a period, in which demand in requests per second and replicas were constant.
func (q *queue) add(d time.Duration, rate float64, ready int, capacity float64) {
	full := float64(ready) * capacity * fullAt
	q.piledUp = max(0, q.piledUp+(rate-full)*d.Seconds())
	if full > 0 {
		q.piledUp = min(q.piledUp, slowest*full)
	}
}

// latency returns the latency at an instant, in seconds.
func (q *queue) latency(at time.Time, rate float64, ready int, capacity, objective float64) float64 {
	full := float64(ready) * capacity * fullAt
	if !(full > 0) {
		return slowest
	}
	busy := min(rate/full, 1-1e-3)
	r := rand.New(rand.NewPCG(uint64(at.Unix()), 3)) //nolint:gosec // a time after 1970
	return min(slowest, (objective*idle/(1-busy)+q.piledUp/full)*(1+noise*r.NormFloat64()))
}

// Past is how a service was scaled in the time before the simulator: its replicas were at 90 % of their
// capacity, and changed every so often.
type Past struct {
	Demand   *Demand
	Capacity float64
	Every    time.Duration
}

// Ready returns the replicas at an instant.
func (p Past) Ready(at time.Time) int {
	since := at.Sub(p.Demand.Begin)
	changed := p.Demand.Begin.Add(since - since%p.Every)
	return max(1, int(math.Ceil(p.Demand.At(changed)/(0.9*p.Capacity))))
}
