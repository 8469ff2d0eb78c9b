package reads

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// A result with more than largeResult new values occupies the worker that read it until it is
// taken, for handOver at most. Otherwise reads would run ahead of the fits that need them after a
// start. Then it is seen too late that memory is short, see condition Overloaded.
const (
	largeResult = 4096
	handOver    = 30 * time.Second
)

// SeriesReader reads a demand series: all of it at first, and later what is new.
type SeriesReader interface {
	Read(ctx context.Context) (history.Series, int, error)
	// Notes returns what there is to know about the series and the last read.
	Notes() history.Notes
}

// Part is what is read for a Forecast.
type Part string

// The parts of what is read for a Forecast.
const (
	Demand   Part = "demand"
	Latency  Part = "latency"
	Replicas Part = "replicas"
)

// MaxTerms bounds the terms of a demand.
const MaxTerms = 8

// Term is the part of one term of demand, from 0 on.
func Term(i int) Part { return Part("term" + strconv.Itoa(i)) }

// Evidence are the parts that a capacity and weights are learned from.
func Evidence() []Part {
	parts := []Part{Latency, Replicas}
	for i := range MaxTerms {
		parts = append(parts, Term(i))
	}
	return parts
}

// Ahead reads for what a Forecast may come to use, beside what is read for what it uses now.
type Ahead struct{ *Fetcher }

// aheadOf is the part of an Ahead.
func aheadOf(p Part) Part { return "next-" + p }

// Request is [Fetcher.Request].
func (a Ahead) Request(key Key, source string, r SeriesReader) {
	key.Part = aheadOf(key.Part)
	a.Fetcher.Request(key, source, r)
}

// Take is [Fetcher.Take].
func (a Ahead) Take(key Key) (Result, bool) {
	key.Part = aheadOf(key.Part)
	return a.Fetcher.Take(key)
}

// Busy is [Fetcher.Busy].
func (a Ahead) Busy(key Key) bool {
	key.Part = aheadOf(key.Part)
	return a.Fetcher.Busy(key)
}

// Forget is [Fetcher.Forget]: of what is read ahead.
func (a Ahead) Forget(forecast types.NamespacedName, parts ...Part) {
	if len(parts) == 0 {
		parts = append(Evidence(), Demand)
	}
	var ahead []Part
	for _, p := range parts {
		ahead = append(ahead, aheadOf(p))
	}
	a.Fetcher.Forget(forecast, ahead...)
}

// Key names a read. There is at most one pending read of a key.
type Key struct {
	Forecast types.NamespacedName
	Part     Part
}

// item is the key as the queues know it, which share workers by namespace. No name of a Forecast has
// a slash.
func (k Key) item() types.NamespacedName {
	return types.NamespacedName{Namespace: k.Forecast.Namespace, Name: k.Forecast.Name + "/" + string(k.Part)}
}

// keyOfItem returns the key of an item of a queue.
func keyOfItem(item types.NamespacedName) Key {
	name, part, _ := strings.Cut(item.Name, "/")
	return Key{Forecast: types.NamespacedName{Namespace: item.Namespace, Name: name}, Part: Part(part)}
}

// pendingRead is a read that waits in a queue or is running. When a Forecast changes its source,
// the queue of the old source may still contain it.
type pendingRead struct {
	source string
	reader SeriesReader
	cancel context.CancelFunc // Cancels the read; nil until it runs.
}

// Result is the result of a read.
type Result struct {
	Series history.Series
	Notes  history.Notes
	Err    error
}

// untaken is a result until it is taken or dropped.
type untaken struct {
	Result
	gone chan struct{} // closed when it is taken or dropped
}

// Fetcher reads history outside of the reconciler's workers. Each source has workers of its own, so
// a Prometheus that never answers delays only the Forecasts that use it. Namespaces share the
// workers of a source fairly. Its methods are safe for concurrent use.
type Fetcher struct {
	done chan event.GenericEvent

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // the context of Start; nil before
	queues  map[string]*fairqueue.Queue
	pending map[Key]*pendingRead
	results map[Key]untaken
	wg      sync.WaitGroup
}

// New returns a Fetcher. It reads once Start is called.
func New() *Fetcher {
	return &Fetcher{
		done:    make(chan event.GenericEvent, 1024),
		queues:  map[string]*fairqueue.Queue{},
		pending: map[Key]*pendingRead{},
		results: map[Key]untaken{},
	}
}

// Done has an event for each Forecast of which a read has ended.
func (f *Fetcher) Done() <-chan event.GenericEvent { return f.done }

// NeedLeaderElection is false: the owner of a Forecast reads its history.
func (f *Fetcher) NeedLeaderElection() bool { return false }

// Start runs the workers until ctx ends.
func (f *Fetcher) Start(ctx context.Context) error {
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

// Request adds a read to the queue of a source, unless one for this Forecast is already pending.
// The Forecast is reconciled again when the read has ended.
func (f *Fetcher) Request(key Key, source string, r SeriesReader) {
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
	q.Add(key.item())
}

func (f *Fetcher) startWorkers(source string, q *fairqueue.Queue) {
	for range readersPerSource {
		f.wg.Go(func() {
			for {
				item, shutdown := q.Get()
				if shutdown {
					return
				}
				f.read(source, keyOfItem(item))
				q.Done(item)
			}
		})
	}
}

// read runs the pending read of a Forecast, if it is still for this source. A reader is not safe
// for concurrent use, and the workers of the new source may use it.
func (f *Fetcher) read(source string, key Key) {
	f.mu.Lock()
	p, ctx := f.pending[key], f.ctx
	if p == nil || p.reader == nil || p.source != source {
		f.mu.Unlock()
		return
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	p.cancel = cancel
	f.mu.Unlock()
	series, fresh, err := p.reader.Read(bounded)
	if err != nil && errors.Is(bounded.Err(), context.DeadlineExceeded) && history.KindOf(err) == "" {
		err = &history.Error{Kind: history.ErrTimeout, Source: source, Message: fmt.Sprintf("the whole answer takes longer "+
			"than %s: record the query with a recording rule, or read a shorter time", readTimeout)}
	}
	notes := p.reader.Notes()
	cancel()
	f.mu.Lock()
	result := untaken{Result{series, notes, err}, make(chan struct{})}
	if f.pending[key] == p { // Otherwise the read was cancelled.
		delete(f.pending, key)
		f.drop(key)
		f.results[key] = result
	} else {
		close(result.gone)
	}
	f.mu.Unlock()
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = key.Forecast.Namespace, key.Forecast.Name
	select {
	case f.done <- event.GenericEvent{Object: fc}:
	case <-ctx.Done():
	}
	if fresh > largeResult {
		wait := time.NewTimer(handOver)
		defer wait.Stop()
		select {
		case <-result.gone:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
}

// drop removes the result of a read, if there is one. The caller holds mu.
func (f *Fetcher) drop(key Key) {
	if r, ok := f.results[key]; ok {
		delete(f.results, key)
		close(r.gone)
	}
}

// Take returns and removes the result of a read. It reports false when there is none.
func (f *Fetcher) Take(key Key) (Result, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.results[key]
	f.drop(key)
	return r.Result, ok
}

// Busy reports whether a read is pending.
func (f *Fetcher) Busy(key Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.pending[key]
	return ok
}

// Forget drops the reads and the results of a Forecast: those of the parts, or all. A running read is
// cancelled, so that its worker is free for others.
func (f *Fetcher) Forget(forecast types.NamespacedName, parts ...Part) {
	if len(parts) == 0 {
		for _, p := range append(Evidence(), Demand) {
			parts = append(parts, p, aheadOf(p))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, part := range parts {
		key := Key{forecast, part}
		if p := f.pending[key]; p != nil && p.cancel != nil {
			p.cancel()
		}
		delete(f.pending, key)
		f.drop(key)
	}
}
