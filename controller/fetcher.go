package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/internal/fairqueue"
)

// readTimeout bounds one read of history. A first read of a long history needs several requests.
const readTimeout = 5 * time.Minute

// readersPerSource bounds the concurrent reads from one source.
const readersPerSource = 4

// readHalfLife is how soon a namespace's use of a source's readers counts half.
const readHalfLife = 5 * time.Minute

// seriesReader reads a demand series: all of it at first, and later what is new.
type seriesReader interface {
	Read(ctx context.Context) (history.Series, int, error)
	// Notes returns what there is to know about the series and the last read.
	Notes() history.Notes
}

// pendingRead is a read that waits in a queue or is running. When a Forecast changes its source,
// the queue of the old source may still contain it.
type pendingRead struct {
	source string
	reader seriesReader
	cancel context.CancelFunc // Cancels the read; nil until it runs.
}

// result is the result of a read.
type result struct {
	series history.Series
	notes  history.Notes
	err    error
}

// fetcher reads history outside of the reconciler's workers. Each source has workers of its own, so
// a Prometheus that never answers delays only the Forecasts that use it. Namespaces share the
// workers of a source fairly.
type fetcher struct {
	// done has an event for each Forecast whose read has ended.
	done chan event.GenericEvent

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // the context of Start; nil before
	queues  map[string]*fairqueue.Queue
	pending map[types.NamespacedName]*pendingRead
	results map[types.NamespacedName]result
	wg      sync.WaitGroup
}

func newFetcher() *fetcher {
	return &fetcher{
		done:    make(chan event.GenericEvent, 1024),
		queues:  map[string]*fairqueue.Queue{},
		pending: map[types.NamespacedName]*pendingRead{},
		results: map[types.NamespacedName]result{},
	}
}

// NeedLeaderElection is false: the owner of a Forecast reads its history.
func (f *fetcher) NeedLeaderElection() bool { return false }

// Start runs the workers until ctx ends.
func (f *fetcher) Start(ctx context.Context) error {
	f.mu.Lock()
	f.ctx = ctx
	for source, q := range f.queues {
		f.startWorkers(source, q)
	}
	f.mu.Unlock()
	<-ctx.Done()
	f.mu.Lock()
	for _, q := range f.queues {
		q.ShutDown()
	}
	f.mu.Unlock()
	f.wg.Wait()
	return nil
}

// request adds a read to the queue of a source, unless one for this Forecast is already pending.
// The Forecast is reconciled again when the read has ended.
func (f *fetcher) request(key types.NamespacedName, source string, r seriesReader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, pending := f.pending[key]; pending {
		return
	}
	f.pending[key] = &pendingRead{source: source, reader: r}
	q, ok := f.queues[source]
	if !ok {
		q = fairqueue.New(readersPerSource, readHalfLife, clock.RealClock{})
		f.queues[source] = q
		if f.ctx != nil {
			f.startWorkers(source, q)
		}
	}
	q.Add(key)
}

func (f *fetcher) startWorkers(source string, q *fairqueue.Queue) {
	for range readersPerSource {
		f.wg.Go(func() {
			for {
				key, shutdown := q.Get()
				if shutdown {
					return
				}
				f.read(source, key)
				q.Done(key)
			}
		})
	}
}

// read runs the pending read of a Forecast, if it is still for this source. A reader is not safe
// for concurrent use, and the workers of the new source may use it.
func (f *fetcher) read(source string, key types.NamespacedName) {
	f.mu.Lock()
	p, ctx := f.pending[key], f.ctx
	if p == nil || p.reader == nil || p.source != source {
		f.mu.Unlock()
		return
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	p.cancel = cancel
	f.mu.Unlock()
	series, _, err := p.reader.Read(bounded)
	notes := p.reader.Notes()
	cancel()
	f.mu.Lock()
	if f.pending[key] == p { // Otherwise the read was cancelled.
		delete(f.pending, key)
		f.results[key] = result{series, notes, err}
	}
	f.mu.Unlock()
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = key.Namespace, key.Name
	select {
	case f.done <- event.GenericEvent{Object: fc}:
	case <-ctx.Done():
	}
}

// take returns and removes the result of a read. It reports false when there is none.
func (f *fetcher) take(key types.NamespacedName) (result, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.results[key]
	delete(f.results, key)
	return r, ok
}

// busy reports whether a read is pending.
func (f *fetcher) busy(key types.NamespacedName) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.pending[key]
	return ok
}

// forget drops the read and the result of a Forecast. A running read is cancelled, so that its
// worker is free for others.
func (f *fetcher) forget(key types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.pending[key]; p != nil && p.cancel != nil {
		p.cancel()
	}
	delete(f.pending, key)
	delete(f.results, key)
}
