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
	return &backend{config: c, http: client, api: v1.NewAPI(ac), places: make(chan struct{}, c.Concurrency)}, nil
}

func (b *backend) close() { b.http.CloseIdleConnections() }

func (b *backend) admits(namespace string) bool {
	return slices.Contains(b.config.Namespaces, AnyNamespace) || slices.Contains(b.config.Namespaces, namespace)
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
func (b *backend) do(ctx context.Context, ask call) (model.Value, []string, error) {
	timeout := time.Duration(b.config.Timeout)
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	select {
	case b.places <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case <-wait.C:
		return nil, nil, errf(ErrTimeout, "no place for a request came free within %s: the source is slow; check its load, or "+
			"raise its concurrency", timeout)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	done := make(chan reply, 1)
	go func() {
		defer func() { <-b.places }()
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

func (b *backend) readPart(ctx context.Context, query string, part Series, into *answer) error {
	result, warnings, err := b.do(ctx, func(ctx context.Context) (model.Value, v1.Warnings, v1.Infos, error) {
		return b.api.QueryRange(ctx, query, v1.Range{Start: part.Start.Add(part.Step), End: part.End(), Step: part.Step}, b.options()...)
	})
	if err != nil {
		return err
	}
	into.notes.warn(warnings)
	return into.take(result, part)
}
