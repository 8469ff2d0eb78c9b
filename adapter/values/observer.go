package values

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

const (
	// maxAgeInPolls is how old an observation may be, in poll intervals, before it no longer counts
	// as the floor.
	maxAgeInPolls = 3
	// changesBuffered bounds the changes that wait to be read. Further ones are dropped.
	changesBuffered = 1024
)

// Query is what to poll for one Forecast.
type Query struct {
	// Expr is the PromQL expression, and Source the name of the Prometheus source that evaluates
	// it.
	Expr, Source string
	// Settle is how far before now the expression is evaluated.
	Settle time.Duration
}

// LastPoll is the state of an [Observer]'s polls for one Forecast.
type LastPoll struct {
	// SucceededAt is when the last successful poll began; zero before the first.
	SucceededAt time.Time
	// Err is the error of the last poll; nil when it succeeded, or when there was none yet.
	Err error
}

// observation is the demand of the last successful poll, and how later polls failed.
type observation struct {
	value float64
	at    time.Time   // when the poll began, or earlier where its sample was older than asked for
	trail []pollValue // of the last minutes, the newest last
	err   error       // of the last poll
	// partialSince is when the source began to answer in part only; zero while its answers are whole.
	partialSince time.Time
	// timeouts counts the last polls in a row that timed out while another query on the same source
	// had an answer.
	timeouts int
	// tried is true once a poll of this replica has ended, until it leaves the polls to the owner.
	tried bool
	// sharedAt is when the owner's newest poll began; zero where this replica knows none.
	sharedAt time.Time
	// droppedSent is true once the change "floor dropped" was sent.
	droppedSent bool
}

// queryFunc evaluates a query for a namespace at an instant.
type queryFunc func(ctx context.Context, namespace string, q Query, at time.Time) (history.Sample, error)

// Observer knows the demand of the Forecasts that [Plans] follows. It polls for those that this
// replica owns, and tells the other replicas, see [Observer.Share]. Polls are spread over the
// interval. Each source has its own queue and workers, so a source that never answers does not
// delay the Forecasts of another. It is a manager.Runnable of controller-runtime, and a
// [prometheus.Collector].
type Observer struct {
	interval time.Duration
	query    queryFunc
	clock    clock.WithTicker
	logger   *slog.Logger
	changes  chan event.GenericEvent
	polls    prometheus.Counter
	bySource *prometheus.CounterVec

	owns          func(types.NamespacedName) bool // nil owns everything
	ownersChanged <-chan event.GenericEvent

	mu      sync.RWMutex
	ctx     context.Context //nolint:containedctx // the run that the workers belong to
	wg      sync.WaitGroup
	sources map[string]*sourceQueue // by name of the source
	queries map[types.NamespacedName]*followed
	byID    map[queryID]types.NamespacedName
	latests map[types.NamespacedName]observation
}

// NewObserver returns an Observer that polls each Forecast once per interval, unless Share says that
// other replicas poll too. Polling begins with Start.
func NewObserver(sources *history.Sources, interval time.Duration, c clock.WithTicker, logger *slog.Logger) *Observer {
	query := func(ctx context.Context, namespace string, q Query, at time.Time) (history.Sample, error) {
		source, err := sources.For(namespace, q.Source)
		if err != nil {
			return history.Sample{}, err
		}
		return source.Latest(ctx, q.Expr, at)
	}
	return &Observer{
		interval: interval, query: query, clock: c, logger: logger,
		changes: make(chan event.GenericEvent, changesBuffered),
		polls: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "headstart_observed_polls_total", Help: "Polls of observed demand by this replica.",
		}),
		bySource: newSourcePolls(),
		sources:  map[string]*sourceQueue{},
		queries:  map[types.NamespacedName]*followed{},
		byID:     map[queryID]types.NamespacedName{},
		latests:  map[types.NamespacedName]observation{},
	}
}

// NeedLeaderElection is false: every replica polls for what it owns.
func (o *Observer) NeedLeaderElection() bool { return false }

// Start polls until ctx ends.
func (o *Observer) Start(ctx context.Context) error {
	o.mu.Lock()
	o.ctx = ctx
	for _, s := range o.sources {
		o.startWorkers(s)
	}
	o.mu.Unlock()
	o.followOwners(ctx)
	o.mu.Lock()
	for _, s := range o.sources {
		s.queue.ShutDown()
	}
	o.mu.Unlock()
	o.wg.Wait()
	return nil
}

// MaxAge is how old an observation may be to count as the floor.
func (o *Observer) MaxAge() time.Duration { return maxAgeInPolls * o.interval }

// LastPoll returns the state of the polls for a Forecast.
func (o *Observer) LastPoll(key types.NamespacedName) LastPoll {
	o.mu.RLock()
	defer o.mu.RUnlock()
	v := o.latests[key]
	return LastPoll{SucceededAt: v.at, Err: v.err}
}

// Changes has an event for each Forecast whose floor was dropped, or has come back. Reading it is
// optional: when nobody does, changes are dropped.
func (o *Observer) Changes() <-chan event.GenericEvent { return o.changes }

// latest returns the demand of the last successful poll and when that began; NaN and the zero time
// when there was none.
func (o *Observer) latest(key types.NamespacedName) (float64, time.Time) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.latestOf(key)
}

// latestOf is latest for a caller that holds the lock.
func (o *Observer) latestOf(key types.NamespacedName) (float64, time.Time) {
	v, ok := o.latests[key]
	if !ok || v.at.IsZero() {
		return math.NaN(), time.Time{}
	}
	return v.value, v.at
}

// pollTimeout bounds one poll. It is below the interval, so that the next poll is not late.
func (o *Observer) pollTimeout() time.Duration { return o.interval * 3 / 4 }

// poll queries the demand of a Forecast once.
func (o *Observer) poll(ctx context.Context, key types.NamespacedName, q Query) {
	o.polls.Inc()
	began := o.clock.Now()
	bounded, cancel := context.WithTimeout(ctx, o.pollTimeout())
	asked := began.Add(-q.Settle)
	sample, err := o.query(bounded, key.Namespace, q, asked)
	cancel()
	switch {
	case ctx.Err() != nil:
		return // this replica is ending
	case errors.Is(err, context.DeadlineExceeded):
		err = &history.Error{Kind: history.ErrTimeout, Source: q.Source, Message: fmt.Sprintf(
			"no answer within %s, the time of a poll: check that Prometheus is reachable and not overloaded, "+
				"or simplify the query (a recording rule helps)", o.pollTimeout())}
	case err == nil && !(sample.Value >= 0 && sample.Value <= history.MaxDemand):
		err = &history.Error{
			Kind: history.ErrNotFinite, Source: q.Source,
			Message: fmt.Sprintf("the newest value is no number from 0 to %g: guard the query", history.MaxDemand),
		}
	}
	o.countPoll(q.Source, err)
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.queries[key]
	if f == nil || f.Query != q {
		return // the Forecast is gone, or its query has changed since
	}
	defer f.endWakeUp()
	if err == nil {
		err = o.checkPartial(key, q, began, sample)
	}
	if err != nil {
		o.recordFailure(key, q, began, err)
		return
	}
	// A sample that is older than what was asked for has aged by that already.
	o.recordSuccess(key, q, began.Add(-max(0, asked.Sub(sample.At))), sample.Value)
}

// checkPartial returns an error for a sample that the source answered in part only. Such a sample
// may be too low. So it raises the floor and does not lower it, unless the source stays like this.
// The caller holds the lock.
func (o *Observer) checkPartial(key types.NamespacedName, q Query, began time.Time, s history.Sample) error {
	v := o.latests[key]
	if !s.Partial {
		v.partialSince = time.Time{}
		o.latests[key] = v
		return nil
	}
	if v.partialSince.IsZero() {
		v.partialSince = began
		o.latests[key] = v
	}
	if !v.at.IsZero() && s.Value >= v.value || began.Sub(v.partialSince) >= history.PartialGrace {
		return nil
	}
	return &history.Error{Kind: history.ErrPartial, Source: q.Source, Message: fmt.Sprintf(
		"the source answers in part only, so its value %g may be too low (Prometheus says: %s): bring the missing "+
			"stores back", s.Value, strings.Join(s.Warnings, "; "))}
}

// recordSuccess stores the value of a poll, which is as old as a poll that began at at. The caller
// holds the lock.
func (o *Observer) recordSuccess(key types.NamespacedName, q Query, at time.Time, value float64) {
	old := o.latests[key]
	if old.err != nil {
		o.logger.Info("observed demand is polled again", "forecast", key.String())
	}
	if s := o.sources[q.Source]; s != nil {
		s.answeredAt = o.clock.Now()
	}
	o.latests[key] = observation{
		value: value, at: at, trail: trailAfter(old.trail, pollValue{value, at}), partialSince: old.partialSince,
		tried: true, sharedAt: old.sharedAt,
	}
	if old.droppedSent {
		o.sendChange(key)
	}
}

// recordFailure stores the error of a poll beside the last good value. The caller holds the lock.
func (o *Observer) recordFailure(key types.NamespacedName, q Query, began time.Time, err error) {
	v := o.latests[key]
	if v.err == nil {
		o.logger.Warn("observed demand cannot be polled", "forecast", key.String(), "error", err)
	}
	v.err, v.tried = err, true
	if s := o.sources[q.Source]; s != nil && errors.Is(err, history.ErrTimeout) && s.answeredAt.After(began) {
		v.timeouts++
	} else {
		v.timeouts = 0
	}
	dropped := !v.droppedSent && o.tooOld(v)
	v.droppedSent = v.droppedSent || dropped
	o.latests[key] = v
	if dropped {
		o.sendChange(key)
	}
}

// tooOld reports whether an observation no longer counts as the floor.
func (o *Observer) tooOld(v observation) bool {
	return v.at.IsZero() || o.clock.Now().Sub(v.at) > o.MaxAge()
}

// sendChange never blocks. A change that is dropped is seen at the Forecast's next step.
func (o *Observer) sendChange(key types.NamespacedName) {
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = key.Namespace, key.Name
	select {
	case o.changes <- event.GenericEvent{Object: fc}:
	default:
	}
}
