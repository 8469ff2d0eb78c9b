package values

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
	"headstart.dev/headstart/planner/plan"
)

// reasonRefused is the reason why a Forecast with an invalid spec, or with a plan that cannot be
// decoded, has no value.
const reasonRefused adapter.Reason = "Refused"

// Settings is the part of a Forecast's spec that serving needs, parsed and with its defaults.
type Settings struct {
	// Demand is what to poll; nil when the Forecast has no demand of its own.
	Demand *Query
	// Mode of the Forecast.
	Mode v1alpha1.ForecastMode
	// Expiry is what to serve once the plan has ended, and Static is the value of the policy
	// Static.
	Expiry v1alpha1.ExpiryPolicy
	Static float64
	// Min is bounds.min, in the unit of demand; 0 is no bound.
	Min float64
	// Capacity is the demand that one replica serves, as the spec says; 0 when it does not.
	Capacity float64
	// Learned says which learned capacity in status counts before Capacity; nil where it is not
	// learned.
	Learned *plan.LearnedCapacity
	// InReplicas reports whether the replicas that the demand needs are served, and not the demand.
	InReplicas bool
}

// ParseFunc reads the settings of a Forecast: its spec, with the learned weights in its status. Its error
// says what is wrong with the spec.
type ParseFunc func(*v1alpha1.Forecast) (Settings, error)

// Plans holds what every Forecast of the cluster serves, decoded once per change. It implements
// [adapter.Metrics]. All methods are safe for concurrent use. Value takes one read lock and calls
// nothing outside the process.
type Plans struct {
	demand *Observer
	parse  ParseFunc

	mu       sync.RWMutex
	entries  map[types.NamespacedName]*planEntry
	watchers watchers
}

var (
	_ adapter.Metrics      = (*Plans)(nil)
	_ adapter.SharesReader = (*Plans)(nil)
)

// planEntry is immutable once stored.
type planEntry struct {
	labels   labels.Set
	settings Settings
	specErr  error // the spec cannot be parsed
	plan     *plan.Plan
	planErr  error   // the plan in status cannot be decoded
	limit    float64 // of observed demand that a single poll is believed for
	capacity float64 // the demand that one replica serves; 0 when nobody says
	overflow overflowEntry
}

// NewPlans returns an empty store. It has demand poll for the Forecasts that it follows, and never
// serves less than that. Call Follow to fill it.
func NewPlans(demand *Observer, parse ParseFunc) *Plans {
	return &Plans{demand: demand, parse: parse, entries: map[types.NamespacedName]*planEntry{}}
}

// Follow keeps the store up to date from the cache's Forecasts. The returned function reports
// whether the first listing is complete.
func (p *Plans) Follow(ctx context.Context, c cache.Cache) (synced func() bool, err error) {
	informer, err := c.GetInformer(ctx, &v1alpha1.Forecast{})
	if err != nil {
		return nil, fmt.Errorf("watch forecasts: %w", err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { p.store(obj) },
		UpdateFunc: func(_, obj any) { p.store(obj) },
		DeleteFunc: func(obj any) { p.remove(obj) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch forecasts: %w", err)
	}
	return registration.HasSynced, nil
}

func (p *Plans) store(obj any) {
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return
	}
	e := &planEntry{labels: fc.Labels, overflow: overflowOf(fc)}
	e.settings, e.specErr = p.parse(fc)
	if fc.Status.Plan != nil {
		decoded, err := plan.Decode(*fc.Status.Plan)
		if err != nil {
			e.planErr = err
		} else {
			e.plan = &decoded
		}
	}
	e.capacity = capacityOf(fc, e.settings)
	e.limit = e.plan.Believable(e.capacity)
	key := types.NamespacedName{Namespace: fc.Namespace, Name: fc.Name}
	p.mu.Lock()
	p.entries[key] = e
	p.mu.Unlock()
	if e.specErr == nil && e.settings.Demand != nil {
		p.demand.follow(key, *e.settings.Demand)
	} else {
		p.demand.forget(key)
	}
	p.watchers.changed(key) // They read at once.
}

func (p *Plans) remove(obj any) {
	if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = tombstone.Obj
	}
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return
	}
	key := types.NamespacedName{Namespace: fc.Namespace, Name: fc.Name}
	p.mu.Lock()
	delete(p.entries, key)
	p.mu.Unlock()
	p.watchers.changed(key)
	p.demand.forget(key)
}

// Names implements [adapter.Metrics]: the Forecasts of a namespace whose labels match, sorted by
// name.
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

// Value implements [adapter.Metrics]: what a Forecast serves at now. The error is an
// [adapter.Unavailable].
func (p *Plans) Value(namespace, name string, now time.Time) (adapter.Value, error) {
	key, e, err := p.entry(namespace, name)
	if err != nil {
		return adapter.Value{}, err
	}
	served, err := p.serve(key, e, now)
	if err != nil {
		return adapter.Value{}, unavailable(key, err)
	}
	return valueOf(key, e, served)
}

// entry returns what is known about a Forecast. The error is an [adapter.Unavailable].
func (p *Plans) entry(namespace, name string) (types.NamespacedName, *planEntry, error) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	p.mu.RLock()
	e := p.entries[key]
	p.mu.RUnlock()
	if e == nil {
		return key, nil, &adapter.Unavailable{
			Reason: adapter.ReasonNotFound, Message: fmt.Sprintf("there is no Forecast %s", key),
		}
	}
	return key, e, nil
}

// valueOf converts what a Forecast serves to thousandths of its unit: demand or replicas. Both are
// rounded to the nearest, so that 1.0000001 replicas are one and not two.
func valueOf(key types.NamespacedName, e *planEntry, served plan.Served) (adapter.Value, error) {
	if e.settings.InReplicas {
		if !(e.capacity > 0) {
			return adapter.Value{}, noCapacity(key)
		}
		served.Value /= e.capacity
	}
	milli, ok := adapter.Milli(served.Value)
	if !ok {
		return adapter.Value{}, &adapter.Unavailable{
			Reason:  adapter.ReasonInvalidValue,
			Message: fmt.Sprintf("Forecast %s has the value %v, which is not served", key, served.Value),
		}
	}
	return adapter.Value{Milli: milli, ComputedAt: served.ComputedAt, Labels: e.labels}, nil
}

func (p *Plans) serve(key types.NamespacedName, e *planEntry, now time.Time) (plan.Served, error) {
	if e.specErr != nil {
		return plan.Served{}, fmt.Errorf("the spec is refused: %w", e.specErr)
	}
	if e.planErr != nil && e.settings.Mode == v1alpha1.ForecastActive {
		return plan.Served{}, fmt.Errorf("the plan in status cannot be read: %w", e.planErr)
	}
	if !p.demand.ask(key) {
		return plan.Served{}, fmt.Errorf("%w: this replica was not asked before, and its first poll has not ended: "+
			"ask again", plan.ErrNoObservation)
	}
	observed, at := p.demand.believed(key, e.settings.Demand, e.limit)
	return plan.Serve(plan.ServeInput{
		Plan: e.plan, Mode: e.settings.Mode, Expiry: e.settings.Expiry, Static: e.settings.Static, Min: e.settings.Min,
		Observed: observed, ObservedAt: at, MaxObservedAge: p.demand.MaxAge(), Now: now,
	})
}

// unavailable gives an error of serve the adapter's reason.
func unavailable(key types.NamespacedName, err error) error {
	reason := reasonRefused
	switch {
	case errors.Is(err, plan.ErrPlanExpired):
		reason = adapter.ReasonPlanExpired
	case errors.Is(err, plan.ErrNoObservation):
		reason = adapter.ReasonNoObservation
	case errors.Is(err, plan.ErrNoPlan):
		reason = adapter.ReasonNoPlan
	}
	return &adapter.Unavailable{Reason: reason, Message: fmt.Sprintf("Forecast %s: %v", key, err)}
}
