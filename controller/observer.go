package controller

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/history"
)

// observerWorkers bounds the polls that are under way at once; a source bounds its own as well.
const observerWorkers = 8

// pollsKept is after how many missed polls a floor is dropped.
const pollsKept = 3

// query is what to poll for one Forecast.
type query struct {
	expr, source string
	settle, step time.Duration
}

// observation is the demand that was measured last.
type observation struct {
	value float64
	at    time.Time // of the poll
	err   error
}

// Latest is the interface through which a replica polls observed demand.
type latestFunc func(ctx context.Context, namespace string, q query, at time.Time) (float64, time.Time, error)

// Observer polls the demand of every Forecast in the background, on every replica, so that the served floor needs neither the leader
// nor an upstream call while serving. Polls are spread over the interval.
type Observer struct {
	interval time.Duration
	latestOf latestFunc
	clock    clock.Clock
	logger   *slog.Logger
	queue    workqueue.TypedDelayingInterface[types.NamespacedName]

	mu      sync.RWMutex
	queries map[types.NamespacedName]query
	values  map[types.NamespacedName]observation
}

// NewObserver returns an observer that polls each Forecast once an interval.
func NewObserver(sources *history.Sources, interval time.Duration, c clock.WithTicker, logger *slog.Logger) *Observer {
	ask := func(ctx context.Context, namespace string, q query, at time.Time) (float64, time.Time, error) {
		source, err := sources.For(namespace, q.source)
		if err != nil {
			return 0, time.Time{}, err
		}
		return source.Latest(ctx, q.expr, at)
	}
	return &Observer{
		interval: interval, latestOf: ask, clock: c, logger: logger,
		queue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[types.NamespacedName]{
			Name: "observer", Clock: c,
		}),
		queries: map[types.NamespacedName]query{}, values: map[types.NamespacedName]observation{},
	}
}

// NeedLeaderElection is false: every replica observes.
func (o *Observer) NeedLeaderElection() bool { return false }

// Start polls until ctx ends.
func (o *Observer) Start(ctx context.Context) error {
	var wg sync.WaitGroup
	for range observerWorkers {
		wg.Go(func() {
			for o.pollNext(ctx) {
			}
		})
	}
	<-ctx.Done()
	o.queue.ShutDown()
	wg.Wait()
	return nil
}

func (o *Observer) pollNext(ctx context.Context) bool {
	key, shutdown := o.queue.Get()
	if shutdown {
		return false
	}
	defer o.queue.Done(key)
	o.mu.RLock()
	q, ok := o.queries[key]
	o.mu.RUnlock()
	if !ok {
		return true
	}
	o.poll(ctx, key, q)
	o.queue.AddAfter(key, o.jittered())
	return true
}

// jittered is the interval, spread by a tenth, so that polls of many Forecasts do not gather.
func (o *Observer) jittered() time.Duration {
	return o.interval - o.interval/20 + rand.N(o.interval/10+1) //nolint:gosec // spreads load, guards nothing
}

func (o *Observer) poll(ctx context.Context, key types.NamespacedName, q query) {
	ctx, cancel := context.WithTimeout(ctx, max(o.interval, time.Second))
	defer cancel()
	value, _, err := o.latestOf(ctx, key.Namespace, q, o.clock.Now().Add(-q.settle))
	if err == nil && (math.IsNaN(value) || math.IsInf(value, 0) || value < 0) {
		err = errors.New("the newest value is not a finite number of 0 or above")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if current, ok := o.queries[key]; !ok || current != q {
		return
	}
	was := o.values[key]
	if err != nil {
		if was.err == nil {
			o.logger.Warn("observed demand cannot be polled", "forecast", key.String(), "error", err)
		}
		was.err = err
		o.values[key] = was
		return
	}
	if was.err != nil {
		o.logger.Info("observed demand is polled again", "forecast", key.String())
	}
	o.values[key] = observation{value: value, at: o.clock.Now()}
}

// follow starts polling a Forecast, or changes what is polled for it.
func (o *Observer) follow(key types.NamespacedName, q query) {
	o.mu.Lock()
	was, known := o.queries[key]
	o.queries[key] = q
	if known && was != q {
		delete(o.values, key)
	}
	o.mu.Unlock()
	if !known || was != q {
		o.queue.AddAfter(key, rand.N(min(o.interval, time.Second)+1)) //nolint:gosec // spreads load, guards nothing
	}
}

func (o *Observer) forget(key types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.queries, key)
	delete(o.values, key)
}

// latest returns the demand that was polled last, NaN when there is none.
func (o *Observer) latest(key types.NamespacedName) (float64, time.Time) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	v, ok := o.values[key]
	if !ok || v.at.IsZero() {
		return math.NaN(), time.Time{}
	}
	return v.value, v.at
}

// pollError is the last poll's error, nil after a good one.
func (o *Observer) pollError(key types.NamespacedName) error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.values[key].err
}

func (o *Observer) maxAge() time.Duration { return pollsKept * o.interval }
