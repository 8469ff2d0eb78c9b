package values

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// What the external scaler needs beside a value: activity ahead of time, the target, and changes.

// reasonNoCapacity is the reason why a Forecast has no target.
const reasonNoCapacity adapter.Reason = "NoCapacity"

// Ahead returns the most that a Forecast serves from one instant to another, as far as is known at
// the first. In mode Active that includes the plan; in the others only observed demand is served.
// The error is an [adapter.Unavailable].
func (p *Plans) Ahead(namespace, name string, from, to time.Time) (adapter.Value, error) {
	key, e, err := p.entry(namespace, name)
	if err != nil {
		return adapter.Value{}, err
	}
	served, err := p.serve(key, e, from)
	if err != nil {
		return adapter.Value{}, unavailable(key, err)
	}
	if e.plan != nil && e.settings.Mode == v1alpha1.ForecastActive && from.Before(e.plan.End()) {
		if most, ok := e.plan.Max(from, to); ok && most > served.Value {
			served.Value, served.ComputedAt = most, e.plan.ComputedAt
		}
	}
	return valueOf(key, e, served)
}

// Capacity returns what one replica of a Forecast's target serves, in the unit of the metric: 1 when
// that is replicas. The error is an [adapter.Unavailable].
func (p *Plans) Capacity(namespace, name string) (float64, error) {
	key, e, err := p.entry(namespace, name)
	if err != nil {
		return 0, err
	}
	switch {
	case !(e.capacity > 0):
		return 0, noCapacity(key)
	case e.settings.InReplicas:
		return 1, nil
	}
	return e.capacity, nil
}

func noCapacity(key types.NamespacedName) error {
	return &adapter.Unavailable{Reason: reasonNoCapacity, Message: fmt.Sprintf(
		"Forecast %s does not say what one replica serves: set its spec.capacityPerReplica, "+
			"or targetValue in the metadata of the trigger", key)}
}

// capacityOf returns the demand that one replica serves: what status says, unless the spec has
// changed since. What was learned counts also then, unless the spec now measures another demand. It is
// 0 when nobody says.
func capacityOf(fc *v1alpha1.Forecast, settings Settings) float64 {
	s := fc.Status.CapacityPerReplica
	if s == nil {
		return settings.Capacity
	}
	if l := settings.Learned; l != nil && s.Source == plan.CapacityFromLearning {
		return l.Use(s, settings.Capacity)
	}
	if current := fc.Status.ObservedGeneration == fc.Generation; current || settings.Capacity == 0 {
		return s.Value.AsApproximateFloat64()
	}
	return settings.Capacity
}

// Watch returns a channel that has an element after each change of a Forecast, and a function that
// ends this. Several changes may be one element.
func (p *Plans) Watch(namespace, name string) (changed <-chan struct{}, stop func()) {
	return p.watchers.add(types.NamespacedName{Namespace: namespace, Name: name})
}

// watchers are the channels of those who wait for changes, by Forecast. The zero value has none.
type watchers struct {
	mu       sync.Mutex
	channels map[types.NamespacedName]map[chan struct{}]struct{}
}

func (w *watchers) add(key types.NamespacedName) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.channels == nil {
		w.channels = map[types.NamespacedName]map[chan struct{}]struct{}{}
	}
	if w.channels[key] == nil {
		w.channels[key] = map[chan struct{}]struct{}{}
	}
	w.channels[key][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.channels[key], c)
		if len(w.channels[key]) == 0 {
			delete(w.channels, key)
		}
	}
}

// changed never blocks: a channel that is full has an element that nobody has read yet.
func (w *watchers) changed(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.channels[key] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
