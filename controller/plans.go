package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// Plans holds what every Forecast of the cluster serves, decoded once per change, in memory. It implements [adapter.Metrics].
// All methods are safe for concurrent use; Value takes one read lock and calls nothing outside the process.
type Plans struct {
	observed *Observer

	mu      sync.RWMutex
	entries map[types.NamespacedName]*planEntry
}

// planEntry is immutable once stored.
type planEntry struct {
	labels  labels.Set
	set     settings
	err     error // of the spec
	plan    *plan.Plan
	planErr error
}

// NewPlans returns an empty set of plans, whose floor is what the observer polls.
func NewPlans(observed *Observer) *Plans {
	return &Plans{observed: observed, entries: map[types.NamespacedName]*planEntry{}}
}

// Follow keeps the plans up to date from the cache's Forecasts. The returned function says whether the first listing is complete.
func (p *Plans) Follow(ctx context.Context, c cache.Cache) (synced func() bool, err error) {
	informer, err := c.GetInformer(ctx, &v1alpha1.Forecast{})
	if err != nil {
		return nil, fmt.Errorf("watch forecasts: %w", err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { p.put(obj) },
		UpdateFunc: func(_, obj any) { p.put(obj) },
		DeleteFunc: func(obj any) { p.drop(obj) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch forecasts: %w", err)
	}
	return registration.HasSynced, nil
}

func (p *Plans) put(obj any) {
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return
	}
	set, err := parseSpec(&fc.Spec)
	e := &planEntry{labels: fc.Labels, set: set, err: err}
	if fc.Status.Plan != nil {
		plan, err := plan.Decode(*fc.Status.Plan)
		if err != nil {
			e.planErr = err
		} else {
			e.plan = &plan
		}
	}
	key := types.NamespacedName{Namespace: fc.Namespace, Name: fc.Name}
	p.mu.Lock()
	p.entries[key] = e
	p.mu.Unlock()
	if err == nil && set.hasDemand {
		p.observed.follow(key, query{expr: set.query, source: set.source, settle: set.settle, step: set.step})
	} else {
		p.observed.forget(key)
	}
}

func (p *Plans) drop(obj any) {
	if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return
	}
	key := types.NamespacedName{Namespace: fc.Namespace, Name: fc.Name}
	p.mu.Lock()
	delete(p.entries, key)
	p.mu.Unlock()
	p.observed.forget(key)
}

// Names lists the Forecasts of a namespace whose labels match.
func (p *Plans) Names(namespace string, selector labels.Selector) []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var names []string
	for key, e := range p.entries {
		if key.Namespace == namespace && selector.Matches(e.labels) {
			names = append(names, key.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Value is what a Forecast serves at now.
func (p *Plans) Value(namespace, name string, now time.Time) (adapter.Value, error) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	p.mu.RLock()
	e := p.entries[key]
	p.mu.RUnlock()
	if e == nil {
		return adapter.Value{}, &adapter.Unavailable{Reason: adapter.ReasonNotFound, Message: fmt.Sprintf("there is no Forecast %s/%s", namespace, name)}
	}
	served, err := p.serve(key, e, now)
	if err != nil {
		return adapter.Value{}, unavailable(key, err)
	}
	milli, ok := adapter.Milli(served.Value)
	if !ok {
		return adapter.Value{}, &adapter.Unavailable{Reason: adapter.ReasonInvalidValue, Message: fmt.Sprintf("Forecast %s came to %v, which is not served", key, served.Value)}
	}
	return adapter.Value{Milli: milli, ComputedAt: served.ComputedAt, Labels: e.labels}, nil
}

func (p *Plans) serve(key types.NamespacedName, e *planEntry, now time.Time) (planner.Served, error) {
	if e.err != nil {
		return planner.Served{}, fmt.Errorf("the spec is refused: %w", e.err)
	}
	if e.planErr != nil && e.set.mode == v1alpha1.ForecastActive {
		return planner.Served{}, fmt.Errorf("the plan in status cannot be read: %w", e.planErr)
	}
	value, at := p.observed.latest(key)
	return planner.Serve(planner.ServeInput{
		Plan: e.plan, Mode: e.set.mode, Expiry: e.set.expiry, Static: e.set.static,
		Min: e.set.min, Observed: value, ObservedAt: at, MaxObservedAge: p.observed.maxAge(), Now: now,
	})
}

// unavailable says in the adapter's terms why there is nothing to serve.
func unavailable(key types.NamespacedName, err error) error {
	reason := adapter.Reason("Refused")
	switch {
	case errors.Is(err, planner.ErrPlanExpired):
		reason = adapter.ReasonPlanExpired
	case errors.Is(err, planner.ErrNoObservation):
		reason = adapter.ReasonNoObservation
	case errors.Is(err, planner.ErrNoPlan):
		reason = adapter.ReasonNoPlan
	}
	return &adapter.Unavailable{Reason: reason, Message: fmt.Sprintf("Forecast %s: %v", key, err)}
}
