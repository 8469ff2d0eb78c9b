package values

import (
	"context"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"headstart.dev/headstart/internal/fairqueue"
)

const (
	// workersPerSource bounds the concurrent polls of one source. The client of the source has a
	// bound of its own, for all its requests.
	workersPerSource = 4
	// useHalfLife is the half-life of the worker time that a namespace has used, in poll intervals.
	useHalfLife = 2
	// maxBackoffDoublings bounds the backoff of a query that keeps timing out. After three doublings
	// it is polled in every eighth interval.
	maxBackoffDoublings = 3
)

// sourceQueue is the queue of the Forecasts to poll from one Prometheus source. Namespaces share
// its workers fairly, so the slow queries of one namespace do not delay the polls of another.
type sourceQueue struct {
	source     string
	queue      workqueue.TypedDelayingInterface[types.NamespacedName]
	forecasts  int       // number of Forecasts that use the source
	answeredAt time.Time // when the source last answered a poll
	slowUntil  time.Time // until when no answer waits for a poll: another one has waited in vain
}

// acquireSource returns the queue of a source, and counts one more Forecast that uses it. It
// creates the queue for the first Forecast. The caller holds o.mu.
func (o *Observer) acquireSource(name string) *sourceQueue {
	s, ok := o.sources[name]
	if !ok {
		config := workqueue.TypedDelayingQueueConfig[types.NamespacedName]{
			Clock: o.clock, Queue: fairqueue.New(workersPerSource, useHalfLife*o.interval, o.clock),
		}
		s = &sourceQueue{source: name, queue: workqueue.NewTypedDelayingQueueWithConfig(config)}
		o.sources[name] = s
		if o.ctx != nil {
			o.startWorkers(s)
		}
	}
	s.forecasts++
	return s
}

// releaseSource counts one Forecast less that uses a source. When none is left, it shuts the queue
// down. The caller holds o.mu.
func (o *Observer) releaseSource(name string) {
	s := o.sources[name]
	if s.forecasts--; s.forecasts == 0 {
		delete(o.sources, name)
		s.queue.ShutDown()
	}
}

// startWorkers starts the goroutines that take Forecasts from a source's queue and poll for them.
// They end when the queue shuts down. The caller holds o.mu.
func (o *Observer) startWorkers(s *sourceQueue) {
	ctx := o.ctx
	for range workersPerSource {
		o.wg.Go(func() {
			for o.pollNext(ctx, s) {
			}
		})
	}
}

// pollNext polls for the next Forecast in the queue, and queues it for its next poll. It reports
// whether the queue goes on: false means that it is shut down.
func (o *Observer) pollNext(ctx context.Context, s *sourceQueue) bool {
	key, shutdown := s.queue.Get()
	if shutdown {
		return false
	}
	defer s.queue.Done(key)
	if q, ok := o.queryOf(key, s); ok {
		if !o.leavesToOwner(key) {
			o.poll(ctx, key, q)
		}
		s.queue.AddAfter(key, o.nextDelay(key))
	}
	return true
}

// queryOf returns the query of a Forecast, and reports whether the Forecast still uses the source.
func (o *Observer) queryOf(key types.NamespacedName, s *sourceQueue) (Query, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f := o.queries[key]
	if f == nil || f.Source != s.source {
		return Query{}, false
	}
	return f.Query, true
}

// nextDelay returns the time until the next poll: the interval, with a jitter of ±5 %. The second
// poll comes at any time within the interval, so that the polls of Forecasts that were read at once
// are spread.
//
// A query backs off if it times out while other queries of the same source are answered. Otherwise
// a few such queries would keep all the workers busy. There is no backoff while the whole source is
// down, so its recovery is noticed within one interval.
func (o *Observer) nextDelay(key types.NamespacedName) time.Duration {
	o.mu.Lock()
	timeouts := o.latests[key].timeouts
	f := o.queries[key]
	first := f != nil && !f.spread
	if first {
		f.spread = true
	}
	o.mu.Unlock()
	if first && timeouts == 0 {
		return rand.N(o.interval + 1) //nolint:gosec // spreads load, guards nothing
	}
	delay := o.interval - o.interval/20 + rand.N(o.interval/10+1) //nolint:gosec // spreads load, guards nothing
	return delay << min(timeouts, maxBackoffDoublings)
}
