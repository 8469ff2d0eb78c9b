package gpuwarm

import (
	"math"
	"sync"
	"time"

	"headstart.dev/headstart/gpuwarm/survival"
)

// Neighbours holds the warm-ups of services by node pool. The others on its pool are the prior of a
// service with few starts of its own. It is safe for concurrent use, and its zero value is empty.
type Neighbours struct {
	mu    sync.Mutex
	pools map[string]map[string]poolWarmUp // by pool, by service
}

// Tell sets the warm-up of a service, learned from so many of its own starts, and its node pool, as
// [Learner.Place] names it. A service is on one pool.
func (n *Neighbours) Tell(service, place string, warmUp time.Duration, starts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remove(service)
	if place == "" || starts < LearnedStarts || warmUp <= 0 {
		return
	}
	if n.pools == nil {
		n.pools = map[string]map[string]poolWarmUp{}
	}
	if n.pools[place] == nil {
		n.pools[place] = map[string]poolWarmUp{}
	}
	n.pools[place][service] = poolWarmUp{warmUp, starts}
}

// Forget removes a service.
func (n *Neighbours) Forget(service string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remove(service)
}

func (n *Neighbours) remove(service string) {
	for pool, services := range n.pools {
		delete(services, service)
		if len(services) == 0 {
			delete(n.pools, pool)
		}
	}
}

// Of returns the warm-up of the other services on a pool, and from how many starts it was learned.
// It is their geometric mean, in which each counts by its starts, up to ten. Both are 0 when there
// is no other service.
func (n *Neighbours) Of(service, place string) (warmUp time.Duration, starts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum, weight := 0.0, 0.0
	for other, p := range n.pools[place] {
		if other == service {
			continue
		}
		w := min(float64(p.starts), survival.FullWeightStarts)
		sum += w * math.Log(p.warmUp.Seconds())
		weight += w
		starts += p.starts
	}
	if weight == 0 {
		return 0, 0
	}
	return time.Duration(math.Exp(sum/weight) * float64(time.Second)), starts
}
