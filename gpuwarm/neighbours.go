package gpuwarm

import (
	"math"
	"sync"
	"time"
)

// Neighbours know what services on the same nodes take to start, so that one with few starts of its own is likened to them. It is safe for concurrent use.
type Neighbours struct {
	mu     sync.Mutex
	places map[string]map[string]prior // by place, by service
}

// Tell takes note of what a service takes, learned from so many of its own starts, in the place that its [Learner.Place] names. A service is in one place.
func (n *Neighbours) Tell(service, place string, warmUp time.Duration, starts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(service)
	if place == "" || starts < LearnedStarts || warmUp <= 0 {
		return
	}
	if n.places == nil {
		n.places = map[string]map[string]prior{}
	}
	if n.places[place] == nil {
		n.places[place] = map[string]prior{}
	}
	n.places[place][service] = prior{warmUp, starts}
}

// Forget drops a service.
func (n *Neighbours) Forget(service string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(service)
}

func (n *Neighbours) forget(service string) {
	for place, services := range n.places {
		delete(services, service)
		if len(services) == 0 {
			delete(n.places, place)
		}
	}
}

// Of is what the others in a place take: the geometric mean, each weighted by its starts up to ten. It is 0 where nobody is known there.
func (n *Neighbours) Of(service, place string) (warmUp time.Duration, starts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum, weight := 0.0, 0.0
	for other, p := range n.places[place] {
		if other == service {
			continue
		}
		w := min(float64(p.starts), enough)
		sum += w * math.Log(p.warmUp.Seconds())
		weight += w
		starts += p.starts
	}
	if weight == 0 {
		return 0, 0
	}
	return time.Duration(math.Exp(sum/weight) * float64(time.Second)), starts
}
