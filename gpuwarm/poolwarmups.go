package gpuwarm

import (
	"math"
	"sync"
	"time"

	"headstart.dev/headstart/gpuwarm/survival"
)

// PoolWarmUps holds the warm-ups of services by node pool. The others on its pool are the prior of
// a service with few starts of its own. It is safe for concurrent use, and its zero value is empty.
type PoolWarmUps struct {
	mu    sync.Mutex
	pools map[string]map[string]poolWarmUp // by pool, by service
}

// Set sets the warm-up of a service, learned from so many of its own starts, and its node pool, as
// [Learner.NodePool] names it. A service is on one pool.
func (p *PoolWarmUps) Set(service, pool string, warmUp time.Duration, starts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(service)
	if pool == "" || starts < LearnedStarts || warmUp <= 0 {
		return
	}
	if p.pools == nil {
		p.pools = map[string]map[string]poolWarmUp{}
	}
	if p.pools[pool] == nil {
		p.pools[pool] = map[string]poolWarmUp{}
	}
	p.pools[pool][service] = poolWarmUp{warmUp, starts}
}

// Delete removes a service.
func (p *PoolWarmUps) Delete(service string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(service)
}

func (p *PoolWarmUps) remove(service string) {
	for pool, services := range p.pools {
		delete(services, service)
		if len(services) == 0 {
			delete(p.pools, pool)
		}
	}
}

// Others returns the warm-up of the other services on a pool, and from how many starts it was
// learned. It is their geometric mean, in which each counts by its starts, up to ten. Both are 0
// when there is no other service.
func (p *PoolWarmUps) Others(service, pool string) (warmUp time.Duration, starts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum, weight := 0.0, 0.0
	for other, known := range p.pools[pool] {
		if other == service {
			continue
		}
		w := min(float64(known.starts), survival.FullWeightStarts)
		sum += w * math.Log(known.warmUp.Seconds())
		weight += w
		starts += known.starts
	}
	if weight == 0 {
		return 0, 0
	}
	return time.Duration(math.Exp(sum/weight) * float64(time.Second)), starts
}
