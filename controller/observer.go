package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

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
	at    time.Time // that the poll began
	err   error     // of the last poll
	slow  int       // polls in a row that had no answer while others on the source had one
	told  bool      // that the floor was dropped
}

// latestFunc asks for the demand at an instant.
type latestFunc func(ctx context.Context, namespace string, q query, at time.Time) (float64, time.Time, error)

// Observer polls the demand of every Forecast in the background, on every replica, so that the served floor needs neither the leader
// nor an upstream call while serving. Polls are spread over the interval. Each source has workers of its own: one that never answers
// costs the Forecasts of another nothing.
type Observer struct {
	interval time.Duration
	latestOf latestFunc
	clock    clock.WithTicker
	logger   *slog.Logger
	changed  chan event.GenericEvent // Forecasts whose floor was dropped or is back; nobody needs to listen

	mu      sync.RWMutex
	ctx     context.Context //nolint:containedctx // the run that the workers belong to
	wg      sync.WaitGroup
	lanes   map[string]*lane // by source
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
		interval: interval, latestOf: ask, clock: c, logger: logger, changed: make(chan event.GenericEvent, 1024),
		lanes: map[string]*lane{}, queries: map[types.NamespacedName]query{}, values: map[types.NamespacedName]observation{},
	}
}

// NeedLeaderElection is false: every replica observes.
func (o *Observer) NeedLeaderElection() bool { return false }

// Start polls until ctx ends.
func (o *Observer) Start(ctx context.Context) error {
	o.mu.Lock()
	o.ctx = ctx
	for _, l := range o.lanes {
		o.work(l)
	}
	o.mu.Unlock()
	<-ctx.Done()
	o.mu.Lock()
	for _, l := range o.lanes {
		l.queue.ShutDown()
	}
	o.mu.Unlock()
	o.wg.Wait()
	return nil
}

// pollTimeout bounds one poll: below the interval, so that the next one is not late for it.
func (o *Observer) pollTimeout() time.Duration { return o.interval * 3 / 4 }

// poll asks for the demand of a Forecast, once.
func (o *Observer) poll(ctx context.Context, key types.NamespacedName, q query) {
	began := o.clock.Now()
	bounded, cancel := context.WithTimeout(ctx, o.pollTimeout())
	value, _, err := o.latestOf(bounded, key.Namespace, q, began.Add(-q.settle))
	cancel()
	switch {
	case ctx.Err() != nil:
		return // this replica is ending
	case errors.Is(err, context.DeadlineExceeded):
		err = &history.Error{Kind: history.ErrTimeout, Source: q.source, Message: fmt.Sprintf("no answer within %s, the time of a poll: "+
			"check that Prometheus is reachable and not overloaded, or simplify the query (a recording rule helps)", o.pollTimeout())}
	case err == nil && (math.IsNaN(value) || math.IsInf(value, 0) || value < 0):
		err = &history.Error{Kind: history.ErrNotFinite, Source: q.source, Message: "the newest value is not a finite number of 0 or above: guard the query"}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if current, ok := o.queries[key]; !ok || current != q {
		return
	}
	if err != nil {
		o.failed(key, q, began, err)
		return
	}
	was := o.values[key]
	if was.err != nil {
		o.logger.Info("observed demand is polled again", "forecast", key.String())
	}
	if l := o.lanes[q.source]; l != nil {
		l.answered = o.clock.Now()
	}
	o.values[key] = observation{value: value, at: began}
	if was.told {
		o.tell(key)
	}
}

// failed keeps the last good value beside the error of a poll that began at began.
func (o *Observer) failed(key types.NamespacedName, q query, began time.Time, err error) {
	v := o.values[key]
	if v.err == nil {
		o.logger.Warn("observed demand cannot be polled", "forecast", key.String(), "error", err)
	}
	v.err = err
	if l := o.lanes[q.source]; l != nil && errors.Is(err, history.ErrTimeout) && l.answered.After(began) {
		v.slow++
	} else {
		v.slow = 0
	}
	now := o.clock.Now()
	news := !v.told && (v.at.IsZero() || now.Sub(v.at) > o.maxAge())
	v.told = v.told || news
	o.values[key] = v
	if news {
		o.tell(key)
	}
}

// tell has the Forecast reconciled, where this replica leads; what is not heard is seen at the next step.
func (o *Observer) tell(key types.NamespacedName) {
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = key.Namespace, key.Name
	select {
	case o.changed <- event.GenericEvent{Object: fc}:
	default:
	}
}

// follow starts polling a Forecast, or changes what is polled for it.
func (o *Observer) follow(key types.NamespacedName, q query) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was, known := o.queries[key]
	if known && was == q {
		return
	}
	if known {
		delete(o.values, key)
		o.leave(was.source)
	}
	o.queries[key] = q
	o.join(q.source).queue.AddAfter(key, rand.N(min(o.interval, time.Second)+1)) //nolint:gosec // spreads load, guards nothing
}

func (o *Observer) forget(key types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if q, known := o.queries[key]; known {
		o.leave(q.source)
	}
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

func (o *Observer) maxAge() time.Duration { return pollsKept * o.interval }
