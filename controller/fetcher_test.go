package controller

import (
	"context"
	"testing"

	"headstart.dev/headstart/history"
)

// endless reads until it is called off, and tells when it begins and ends.
type endless struct{ begun, ended chan struct{} }

func (r endless) Read(ctx context.Context) (history.Series, int, error) {
	close(r.begun)
	<-ctx.Done()
	close(r.ended)
	return history.Series{}, 0, ctx.Err()
}

// A read that is under way ends with its Forecast, and not after minutes: it would hold a worker of its source. What it came to is
// nobody's.
func TestForgottenReadIsCalledOff(t *testing.T) {
	f := newFetcher()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = f.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-stopped })
	key := named("fc")
	r := endless{make(chan struct{}), make(chan struct{})}
	f.request(key, "default", r)
	<-r.begun
	f.forget(key)
	<-r.ended
	<-f.done
	if got, ok := f.take(key); ok || f.busy(key) {
		t.Errorf("a forgotten Forecast has %+v, or is busy", got)
	}
}
