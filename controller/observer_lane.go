package controller

import (
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
)

const (
	// pollersPerSource bounds the polls that are under way at once on one source; the source bounds its requests as well.
	pollersPerSource = 4
	// mostDoublings bounds how much more seldom a query is polled that has no answer in time: to every eighth interval.
	mostDoublings = 3
)

// lane is the polls of one source.
type lane struct {
	source    string
	queue     workqueue.TypedDelayingInterface[types.NamespacedName]
	forecasts int
	answered  time.Time // when a poll last had its answer
}

// join adds a Forecast to a source's lane. The caller holds the lock.
func (o *Observer) join(source string) *lane {
	l, ok := o.lanes[source]
	if !ok {
		l = &lane{source: source, queue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[types.NamespacedName]{Clock: o.clock})}
		o.lanes[source] = l
		if o.ctx != nil {
			o.work(l)
		}
	}
	l.forecasts++
	return l
}

// leave takes a Forecast out of a source's lane, which ends with the last one. The caller holds the lock.
func (o *Observer) leave(source string) {
	l := o.lanes[source]
	if l.forecasts--; l.forecasts == 0 {
		delete(o.lanes, source)
		l.queue.ShutDown()
	}
}

func (o *Observer) work(l *lane) {
	ctx := o.ctx
	for range pollersPerSource {
		o.wg.Go(func() {
			for {
				key, shutdown := l.queue.Get()
				if shutdown {
					return
				}
				if q, ok := o.queryOn(l, key); ok {
					o.poll(ctx, key, q)
					l.queue.AddAfter(key, o.pause(key))
				}
				l.queue.Done(key)
			}
		})
	}
}

// queryOn is what to poll for a Forecast, if it still belongs to the lane.
func (o *Observer) queryOn(l *lane, key types.NamespacedName) (query, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	q, ok := o.queries[key]
	return q, ok && q.source == l.source
}

// pause is the time to the next poll: the interval, spread by a tenth, so that polls of many Forecasts do not gather. A query that has
// no answer in time while others on its source have one is polled ever more seldom, or a few of that kind would keep all the workers
// from the others. When the source as a whole is away, nobody is kept from anything, and its return shall be seen at once.
func (o *Observer) pause(key types.NamespacedName) time.Duration {
	o.mu.RLock()
	slow := o.values[key].slow
	o.mu.RUnlock()
	spread := o.interval - o.interval/20 + rand.N(o.interval/10+1) //nolint:gosec // spreads load, guards nothing
	return spread << min(slow, mostDoublings)
}
