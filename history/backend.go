package history

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// seriesLimit is how many series Prometheus may send: enough to say that there are several.
const seriesLimit = 100

// A backend is one configured Prometheus: an HTTP client and a limit on concurrent requests, shared
// by everything that uses the source.
type backend struct {
	config SourceConfig
	http   *http.Client
	api    v1.API
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
	timeout := time.Duration(c.Timeout)
	rt, err := config.NewRoundTripperFromConfig(*c.HTTPClientConfig, "headstart",
		config.WithUserAgent("headstart"), config.WithDialContextFunc(dialer(timeout)))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &guard{next: rt, limit: maxBody}}
	if !c.HTTPClientConfig.FollowRedirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	ac, err := api.NewClient(api.Config{Address: c.URL, Client: client})
	if err != nil {
		return nil, err
	}
	return &backend{
		config: c, http: client, api: v1.NewAPI(ac),
		slots: make(semaphore, c.Concurrency), historySlots: make(semaphore, max(1, c.Concurrency-1)),
	}, nil
}

func (b *backend) close() { b.http.CloseIdleConnections() }

// admits reports whether the Forecasts of a namespace may use the source.
func (b *backend) admits(namespace string) bool {
	return slices.Contains(b.config.Namespaces, anyNamespace) || slices.Contains(b.config.Namespaces, namespace)
}

func (b *backend) options() []v1.Option {
	return []v1.Option{v1.WithTimeout(time.Duration(b.config.Timeout)), v1.WithLimit(seriesLimit)}
}

// call is one request through client_golang.
type call func(context.Context) (model.Value, v1.Warnings, v1.Infos, error)

// reply is the result of a call.
type reply struct {
	value    model.Value
	warnings []string
	err      error
}

// do sends one request once it has a slot of each semaphore. It returns within twice the source's
// timeout, whatever the server does.
//
// client_golang and the request's context bound everything except the request for an OAuth2 token,
// which has no context. do then returns without that request, which keeps its slots until it ends.
// So there are never more requests than slots.
func (b *backend) do(ctx context.Context, send call, slots ...semaphore) (model.Value, []string, error) {
	timeout := time.Duration(b.config.Timeout)
	release, err := acquire(ctx, timeout, slots...)
	if err != nil {
		return nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	done := make(chan reply, 1)
	go func() {
		defer release()
		value, warnings, infos, err := send(bounded)
		done <- reply{value, append(warnings, infos...), err}
	}()
	defer cancel()
	var r reply
	select {
	case r = <-done:
	case <-bounded.Done():
		r.err = bounded.Err()
	}
	if r.err == nil {
		return r.value, r.warnings, nil
	}
	if ctx.Err() != nil { // the caller gave up, the source is not to blame
		return nil, nil, context.Cause(ctx)
	}
	return nil, nil, classify(r.err, timeout)
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
			err = errf(ErrTimeout, "the request waited %s for others to end: the source is slow; check its load, "+
				"or raise its concurrency", timeout)
		}
		release()
		return nil, err
	}
	return release, nil
}

// readPart reads a part of a history into an answer.
func (b *backend) readPart(ctx context.Context, namespace, query string, part Series, into *answer) error {
	span := v1.Range{Start: part.Start.Add(part.Step), End: part.End(), Step: part.Step}
	send := func(ctx context.Context) (model.Value, v1.Warnings, v1.Infos, error) {
		return b.api.QueryRange(ctx, query, span, b.options()...)
	}
	own := b.namespaces.of(namespace, b.config.Concurrency)
	result, warnings, err := b.do(ctx, send, own.history, b.historySlots, own.all, b.slots)
	if err != nil {
		return err
	}
	into.notes.warn(warnings)
	return into.add(result, part)
}
