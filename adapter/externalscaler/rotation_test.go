package externalscaler

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// The certificate is renewed under load, and each client makes new connections all the time. No call
// fails.
func TestRotationUnderLoad(t *testing.T) {
	f := start(t)
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 1, 1 })
	var (
		calls   sync.WaitGroup
		done    = make(chan struct{})
		answers atomic.Int64
	)
	for range 4 {
		calls.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				_, err := f.client(t).GetMetrics(context.Background(), &pb.GetMetricsRequest{
					ScaledObjectRef: ref("shop", "forecast", "llm"), MetricName: "llm",
				})
				if err != nil {
					t.Errorf("after %d calls: %v", answers.Load(), err)
					return
				}
				answers.Add(1)
			}
		})
	}
	for i := range int64(10) {
		f.authority.renew(t)
		for answers.Load() < 8*(i+1) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
	}
	close(done)
	calls.Wait()
}

// A replica that stops serves for its delay, ends its streams without an error, and fails no call.
func TestShutdown(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		fakeForecasts: &fakeForecasts{capacity: 1}, authority: newAuthority(t), address: listener.Addr().String(),
	}
	f.server, err = New(Options{
		Forecasts: f.fakeForecasts, Lookup: f.lookup, Cert: f.authority, Listener: listener,
		ShutdownDelay: 3 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.server.Run(ctx) }()
	trigger := ref("shop", "forecast", "llm")
	r := f.activity(t, trigger)
	r.next()
	cancel()
	if _, err := f.client(t).IsActive(t.Context(), trigger); err != nil {
		t.Errorf("within the delay: %v", err)
	}
	if err := <-r.err; !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v, want io.EOF", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}
