package history

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// A backend is one configured Prometheus: an HTTP client and a limit on concurrent requests, shared
// by everything that uses the source.
type backend struct {
	config SourceConfig
	client *client
	slots  semaphore
	// historySlots is one less than slots: reads of history always leave a slot for polls.
	historySlots semaphore
	// namespaces bounds the requests of each namespace.
	namespaces namespaceSlots
}

// newBackend returns the backend of c, which must have its defaults.
func newBackend(c SourceConfig) (*backend, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	client, err := newClient(c)
	if err != nil {
		return nil, err
	}
	return &backend{
		config: c, client: client,
		slots: make(semaphore, c.Concurrency), historySlots: make(semaphore, max(1, c.Concurrency-1)),
	}, nil
}

func (b *backend) close() {
	if c, ok := b.client.http.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// admits reports whether the Forecasts of a namespace may use the source.
func (b *backend) admits(namespace string) bool {
	return slices.Contains(b.config.Namespaces, anyNamespace) || slices.Contains(b.config.Namespaces, namespace)
}

// reply is the result of a request.
type reply[T any] struct {
	value T
	err   error
}

// do sends one request once it has a slot of each semaphore. It returns within twice the source's
// timeout, whatever the server does.
//
// The request's context bounds everything except the request for an OAuth2 token, which has no
// context. do then returns without that request, which keeps its slots until it ends. So there are
// never more requests than slots.
func do[T any](
	ctx context.Context, timeout time.Duration, send func(context.Context) (T, error), slots ...semaphore,
) (T, error) {
	var none T
	release, err := acquire(ctx, timeout, slots...)
	if err != nil {
		return none, err
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan reply[T], 1)
	go func() {
		defer release()
		value, err := send(bounded)
		done <- reply[T]{value, err}
	}()
	var r reply[T]
	select {
	case r = <-done:
	case <-bounded.Done():
		r.err = bounded.Err()
	}
	if r.err == nil {
		return r.value, nil
	}
	if ctx.Err() != nil { // the caller gave up, the source is not to blame
		return none, context.Cause(ctx)
	}
	return none, classify(r.err, timeout)
}

// A semaphore bounds concurrent requests: its capacity is their number.
type semaphore chan struct{}

// acquire takes a slot of each semaphore, in this order. It returns a function that releases them.
// It fails when a slot does not become free within timeout.
func acquire(ctx context.Context, timeout time.Duration, slots ...semaphore) (release func(), err error) {
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	taken := 0
	release = func() {
		for _, s := range slots[:taken] {
			<-s
		}
	}
	for _, s := range slots {
		select {
		case s <- struct{}{}:
			taken++
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-wait.C:
			err = errf(ErrTimeout, "the request waited %s for others to end: the source is slow; check its load%s",
				timeout, orRaiseConcurrency)
		}
		release()
		return nil, err
	}
	return release, nil
}

// readPart reads a part of a history.
func (b *backend) readPart(ctx context.Context, namespace, query string, p span) (rangeAnswer, error) {
	params := url.Values{
		"query": {query}, "start": {formatTime(p.start.Add(p.step))}, "end": {formatTime(p.end())},
		"step": {formatSeconds(p.step)},
	}
	send := func(ctx context.Context) (rangeAnswer, error) {
		d := &rangeDecoder{span: p}
		err := b.client.query(ctx, "query_range", params, bodyLimit(p.steps), d.decode)
		return d.answer, err
	}
	own := b.namespaces.of(namespace, b.config.Concurrency)
	return do(ctx, time.Duration(b.config.Timeout), send, own.history, b.historySlots, own.all, b.slots)
}

// readLatest evaluates a query at one instant.
func (b *backend) readLatest(ctx context.Context, namespace, query string, at time.Time) (Sample, error) {
	params := url.Values{"query": {query}, "time": {formatTime(at)}}
	send := func(ctx context.Context) (Sample, error) {
		d := &instantDecoder{at: at}
		err := b.client.query(ctx, "query", params, bodyLimit(1), d.decode)
		return d.answer, err
	}
	own := b.namespaces.of(namespace, b.config.Concurrency)
	return do(ctx, time.Duration(b.config.Timeout), send, own.all, b.slots)
}
