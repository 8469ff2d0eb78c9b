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

// seriesLimit is how many series Prometheus shall send at most: enough to say that there are several.
const seriesLimit = 100

// backend is one configured Prometheus: one HTTP client and so many places for requests, shared by all who use the source.
type backend struct {
	config SourceConfig
	http   *http.Client
	api    v1.API
	places chan struct{}
	bulk   chan struct{} // of the places, those that reads of history may take
}

// newBackend needs c to have its defaults.
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
	return &backend{config: c, http: client, api: v1.NewAPI(ac), places: make(chan struct{}, c.Concurrency), bulk: make(chan struct{}, max(1, c.Concurrency-1))}, nil
}

func (b *backend) close() { b.http.CloseIdleConnections() }

func (b *backend) admits(namespace string) bool {
	return slices.Contains(b.config.Namespaces, anyNamespace) || slices.Contains(b.config.Namespaces, namespace)
}

func (b *backend) options() []v1.Option {
	return []v1.Option{v1.WithTimeout(time.Duration(b.config.Timeout)), v1.WithLimit(seriesLimit)}
}

// call is one request through client_golang.
type call func(context.Context) (model.Value, v1.Warnings, v1.Infos, error)

// reply is what a call returns.
type reply struct {
	value    model.Value
	warnings []string
	err      error
}

// do runs one request in a free place. It returns within twice the source's timeout, whatever the other side does: client_golang
// and the request's context bound all but the fetching of an OAuth2 token, which knows no context. Such a call is left behind
// and keeps its place until it ends, so that there are never more of them than places.
func (b *backend) do(ctx context.Context, ask call, places ...chan struct{}) (model.Value, []string, error) {
	timeout := time.Duration(b.config.Timeout)
	leave, err := enter(ctx, timeout, places...)
	if err != nil {
		return nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	done := make(chan reply, 1)
	go func() {
		defer leave()
		value, warnings, infos, err := ask(bounded)
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
	if ctx.Err() != nil { // the caller's doing, not the source's
		return nil, nil, context.Cause(ctx)
	}
	return nil, nil, classify(r.err, timeout)
}

// enter takes a place of each kind, in this order, and returns what gives them back.
func enter(ctx context.Context, timeout time.Duration, places ...chan struct{}) (leave func(), err error) {
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	taken := 0
	leave = func() {
		for _, p := range places[:taken] {
			<-p
		}
	}
	for _, p := range places {
		select {
		case p <- struct{}{}:
			taken++
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-wait.C:
			err = errf(ErrTimeout, "no place for a request came free within %s: the source is slow; check its load, or raise its concurrency", timeout)
		}
		leave()
		return nil, err
	}
	return leave, nil
}

// readPart reads a part of a history. Such reads never take all the places: observed demand is polled in between.
func (b *backend) readPart(ctx context.Context, query string, part Series, into *answer) error {
	result, warnings, err := b.do(ctx, func(ctx context.Context) (model.Value, v1.Warnings, v1.Infos, error) {
		return b.api.QueryRange(ctx, query, v1.Range{Start: part.Start.Add(part.Step), End: part.End(), Step: part.Step}, b.options()...)
	}, b.bulk, b.places)
	if err != nil {
		return err
	}
	into.notes.warn(warnings)
	return into.take(result, part)
}
