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
	// workersPerSource bounds the concurrent polls of one source. The source bounds its requests as
	// well.
	workersPerSource = 4
	// useHalfLife is how soon a namespace's use of the workers counts half, in poll intervals.
	useHalfLife = 2
	// maxBackoffDoublings bounds how rarely a query is polled that keeps timing out: every eighth
	// interval.
	maxBackoffDoublings = 3
)

// sourceQueue holds the polls of one Prometheus source. Namespaces share its workers fairly, so
// that the slow queries of one do not delay the polls of another.
type sourceQueue struct {
	source     string
	queue      workqueue.TypedDelayingInterface[types.NamespacedName]
	forecasts  int       // number of Forecasts that use the source
	answeredAt time.Time // when a poll last had an answer
}

// acquireSource returns the queue of a source for one more Forecast. It creates the queue for the
// first one. The caller holds the lock.
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

// releaseSource gives up one Forecast's use of a source. The last one shuts the queue down. The
// caller holds the lock.
func (o *Observer) releaseSource(name string) {
	s := o.sources[name]
	if s.forecasts--; s.forecasts == 0 {
		delete(o.sources, name)
		s.queue.ShutDown()
	}
}

// startWorkers starts the goroutines that poll for a source's queue until it shuts down. The caller
// holds the lock.
func (o *Observer) startWorkers(s *sourceQueue) {
	ctx := o.ctx
	for range workersPerSource {
		o.wg.Go(func() {
			for o.pollNext(ctx, s) {
			}
		})
	}
}

// pollNext polls for the next Forecast in the queue and adds it again. It returns false once the
// queue is shut down.
func (o *Observer) pollNext(ctx context.Context, s *sourceQueue) bool {
	key, shutdown := s.queue.Get()
	if shutdown {
		return false
	}
	defer s.queue.Done(key)
	if q, ok := o.queryOf(key, s); ok {
		o.poll(ctx, key, q)
		s.queue.AddAfter(key, o.nextDelay(key))
	}
	return true
}

// queryOf returns what to poll for a Forecast, and false when it no longer uses the source.
func (o *Observer) queryOf(key types.NamespacedName, s *sourceQueue) (Query, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	q, ok := o.queries[key]
	return q, ok && q.Source == s.source
}

// nextDelay returns the time until the next poll: the interval, with a jitter of 5 % so that polls
// spread. A query that times out while others on its source are answered backs off: a few such
// queries would otherwise keep all the workers busy. When the whole source is down there is no
// backoff, so that its recovery is noticed within one interval.
func (o *Observer) nextDelay(key types.NamespacedName) time.Duration {
	o.mu.RLock()
	timeouts := o.latests[key].timeouts
	o.mu.RUnlock()
	delay := o.interval - o.interval/20 + rand.N(o.interval/10+1) //nolint:gosec // spreads load, guards nothing
	return delay << min(timeouts, maxBackoffDoublings)
}
