package gpuwarm

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/survival"
)

// PoolWarmUps holds the warm-ups of services by namespace and node pool. The others of a namespace
// on a pool are the prior of a service with few starts of its own. Namespaces do not trust each
// other, so nothing is learned across them. It is safe for concurrent use, and its zero value is
// empty.
type PoolWarmUps struct {
	mu         sync.Mutex
	namespaces map[string]map[string]serviceWarmUp // by namespace, by Forecast
}

// Service names a Forecast for [PoolWarmUps], and its target.
type Service struct {
	Namespace, Forecast string
	// Target is unique in the namespace. Forecasts of one target see the same starts, which count
	// once.
	Target string
}

// serviceWarmUp is the warm-up of one service on its node pool.
type serviceWarmUp struct {
	poolWarmUp
	target, pool string
}

// Set sets the warm-up of a service, learned from so many of its own starts, and its node pool, as
// [Learner.NodePool] names it. A service is on one pool.
func (p *PoolWarmUps) Set(s Service, pool string, warmUp time.Duration, starts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(s.Namespace, s.Forecast)
	if pool == "" || starts < LearnedStarts || warmUp <= 0 {
		return
	}
	if p.namespaces == nil {
		p.namespaces = map[string]map[string]serviceWarmUp{}
	}
	if p.namespaces[s.Namespace] == nil {
		p.namespaces[s.Namespace] = map[string]serviceWarmUp{}
	}
	p.namespaces[s.Namespace][s.Forecast] = serviceWarmUp{poolWarmUp{warmUp, starts}, s.Target, pool}
}

// Restore sets the warm-up of a service from the status of its Forecast, which another replica has
// written. status may be nil.
func (p *PoolWarmUps) Restore(s Service, status *v1alpha1.LeadTimeStatus) {
	if status == nil {
		p.Delete(s.Namespace, s.Forecast)
		return
	}
	pool := ""
	for _, r := range status.RecentStarts { // The newest comes last.
		if of := poolOf(r.Key); of != "" {
			pool = of
		}
	}
	warmUp, err := status.WarmUp.Parse()
	if err != nil {
		warmUp = 0
	}
	p.Set(s, pool, warmUp, int(status.Starts))
}

// Delete removes a Forecast.
func (p *PoolWarmUps) Delete(namespace, forecast string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(namespace, forecast)
}

func (p *PoolWarmUps) remove(namespace, forecast string) {
	if delete(p.namespaces[namespace], forecast); len(p.namespaces[namespace]) == 0 {
		delete(p.namespaces, namespace)
	}
}

// Others returns the warm-up of the other targets of the service's namespace on a pool, and from
// how many starts it was learned. It is their geometric mean, in which each target counts by its
// starts, up to ten. Both are 0 when there is no other target.
func (p *PoolWarmUps) Others(s Service, pool string) (warmUp time.Duration, starts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	targets := p.targets(s, pool)
	sum, weight := 0.0, 0.0
	// In order, since the last digits of a sum depend on the order.
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		known := targets[target]
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

// targets returns the warm-ups of the other targets on a pool. Of several Forecasts of a target,
// the one that saw most starts counts, and of these the slowest.
func (p *PoolWarmUps) targets(s Service, pool string) map[string]poolWarmUp {
	out := map[string]poolWarmUp{}
	for forecast, known := range p.namespaces[s.Namespace] {
		if forecast == s.Forecast || known.target == s.Target || known.pool != pool {
			continue
		}
		was := out[known.target]
		if known.starts > was.starts || (known.starts == was.starts && known.warmUp > was.warmUp) {
			out[known.target] = known.poolWarmUp
		}
	}
	return out
}
