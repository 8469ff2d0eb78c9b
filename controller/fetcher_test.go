package controller

import (
	"context"
	"errors"
	"testing"

	"headstart.dev/headstart/history"
)

// endless reads until it is called off, and tells when it begins and ends.
type endless struct {
	begun chan struct{}
	ended chan error
}

func (r endless) Read(ctx context.Context) (history.Series, int, error) {
	close(r.begun)
	<-ctx.Done()
	r.ended <- ctx.Err()
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
	r := endless{make(chan struct{}), make(chan error, 1)}
	f.request(key, "default", r)
	<-r.begun
	f.forget(key)
	if err := <-r.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the read ended by %v, and not because it was called off", err)
	}
	<-f.done
	if got, ok := f.take(key); ok || f.busy(key) {
		t.Errorf("a forgotten Forecast has %+v, or is busy", got)
	}
}
