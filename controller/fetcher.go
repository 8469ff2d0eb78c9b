package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

// readTimeout bounds one read of history. A first read of a long history takes several requests.
const readTimeout = 5 * time.Minute

// readersPerSource bounds the reads that are under way at once for one source.
const readersPerSource = 4

// seriesReader reads a demand series: all of it at first, then what is new.
type seriesReader interface {
	Read(ctx context.Context) (history.Series, int, error)
}

// job is a read that is waiting or under way. A Forecast that has changed its source may still wait in the old source's queue.
type job struct {
	source string
	reader seriesReader
	cancel context.CancelFunc // of the read that is under way
}

// result is what a read came to.
type result struct {
	series history.Series
	err    error
}

// fetcher reads history outside the reconciler's workers, with workers of its own for each source, so that a Prometheus that
// never answers holds up only the Forecasts that ask it.
type fetcher struct {
	done chan event.GenericEvent

	mu     sync.Mutex
	ctx    context.Context //nolint:containedctx // the run that the workers belong to
	queues map[string]workqueue.TypedInterface[types.NamespacedName]
	jobs   map[types.NamespacedName]*job
	ready  map[types.NamespacedName]result
	wg     sync.WaitGroup
}

func newFetcher() *fetcher {
	return &fetcher{
		done:   make(chan event.GenericEvent, 1024),
		queues: map[string]workqueue.TypedInterface[types.NamespacedName]{},
		jobs:   map[types.NamespacedName]*job{},
		ready:  map[types.NamespacedName]result{},
	}
}

// Start runs the workers until ctx ends.
func (f *fetcher) Start(ctx context.Context) error {
	f.mu.Lock()
	f.ctx = ctx
	for source, q := range f.queues {
		f.work(source, q)
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

// request asks for a read, unless one is already waiting or under way. The Forecast is reconciled again when it is done.
func (f *fetcher) request(key types.NamespacedName, source string, r seriesReader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, busy := f.jobs[key]; busy {
		return
	}
	f.jobs[key] = &job{source: source, reader: r}
	q, ok := f.queues[source]
	if !ok {
		q = workqueue.NewTyped[types.NamespacedName]()
		f.queues[source] = q
		if f.ctx != nil {
			f.work(source, q)
		}
	}
	q.Add(key)
}

func (f *fetcher) work(source string, q workqueue.TypedInterface[types.NamespacedName]) {
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

// read does the job of a Forecast, if it is still one for this source: a reader is for one worker at a time.
func (f *fetcher) read(source string, key types.NamespacedName) {
	f.mu.Lock()
	j, ctx := f.jobs[key], f.ctx
	if j == nil || j.reader == nil || j.source != source {
		f.mu.Unlock()
		return
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	j.cancel = cancel
	f.mu.Unlock()
	series, _, err := j.reader.Read(bounded)
	cancel()
	f.mu.Lock()
	if f.jobs[key] == j {
		delete(f.jobs, key)
		f.ready[key] = result{series, err}
	}
	f.mu.Unlock()
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = key.Namespace, key.Name
	select {
	case f.done <- event.GenericEvent{Object: fc}:
	case <-ctx.Done():
	}
}

// take returns the result that has come in since the last call.
func (f *fetcher) take(key types.NamespacedName) (result, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.ready[key]
	delete(f.ready, key)
	return r, ok
}

// busy says whether a read is waiting or under way.
func (f *fetcher) busy(key types.NamespacedName) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.jobs[key]
	return ok
}

// forget drops what is known of a Forecast. A read that is under way is called off: nobody waits for it, and others wait for its worker.
func (f *fetcher) forget(key types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j := f.jobs[key]; j != nil && j.cancel != nil {
		j.cancel()
	}
	delete(f.jobs, key)
	delete(f.ready, key)
}
