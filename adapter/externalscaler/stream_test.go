package externalscaler

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// receiver reads a stream in the background, so that a test can wait for what comes next.
type receiver[T any] struct {
	t   *testing.T
	got chan T
	err chan error
}

func receive[M, T any](t *testing.T, recv func() (M, error), value func(M) T) receiver[T] {
	r := receiver[T]{t, make(chan T, 100), make(chan error, 1)}
	go func() {
		for {
			m, err := recv()
			if err != nil {
				r.err <- err
				return
			}
			r.got <- value(m)
		}
	}()
	return r
}

// next waits for the next message. It comes at once, except on a machine that stands still.
func (r receiver[T]) next() T {
	r.t.Helper()
	select {
	case v := <-r.got:
		return v
	case err := <-r.err:
		r.t.Fatalf("the stream ended: %v", err)
	case <-time.After(time.Minute):
		r.t.Fatal("nothing came within a minute")
	}
	panic("unreachable")
}

// nothing checks that no message is under way, by what the server has already done: the state has
// been looked at several times since.
func (r receiver[T]) nothing() {
	r.t.Helper()
	select {
	case v := <-r.got:
		r.t.Fatalf("%v came, and nothing has changed", v)
	case err := <-r.err:
		r.t.Fatalf("the stream ended: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
}

func (f *fixture) activity(t *testing.T, trigger *pb.ScaledObjectRef) receiver[bool] {
	t.Helper()
	stream, err := f.client(t).StreamIsActive(t.Context(), trigger)
	if err != nil {
		t.Fatal(err)
	}
	return receive(t, stream.Recv, (*pb.IsActiveResponse).GetResult)
}

// Changes are pushed by a change of the Forecast alone: the tick never comes here.
func TestStreamIsActive(t *testing.T) {
	f := start(t, func(o *Options) { o.tick = time.Hour })
	r := f.activity(t, ref("shop", "forecast", "llm", "activationThreshold", "2"))
	if r.next() {
		t.Error("active at a demand of 0")
	}
	f.set(func(f *fakeForecasts) { f.value = 3 })
	if !r.next() {
		t.Error("not active at a demand of 3 and a threshold of 2")
	}
	f.set(func(f *fakeForecasts) { f.value = 4 })
	r.nothing()
	unknown := &adapter.Unavailable{Reason: adapter.ReasonPlanExpired}
	f.set(func(f *fakeForecasts) { f.err = unknown })
	r.nothing() // KEDA keeps what it knows.
	f.set(func(f *fakeForecasts) { f.err, f.value = nil, 1 })
	if r.next() {
		t.Error("active at a demand of 1 and a threshold of 2")
	}
}

// A plan also moves with time: then no Forecast changes, and the tick finds it.
func TestStreamFollowsTime(t *testing.T) {
	f := start(t, func(o *Options) { o.tick = 10 * time.Millisecond })
	r := f.activity(t, ref("shop", "forecast", "llm"))
	r.next()
	f.mu.Lock() // A change that nobody is told of.
	f.value = 1
	f.mu.Unlock()
	if !r.next() {
		t.Error("not active at a demand of 1")
	}
}

// A stream for a Forecast that does not exist yet waits for it.
func TestStreamMetricSpec(t *testing.T) {
	f := start(t, func(o *Options) { o.tick = time.Hour })
	c := f.client(t)
	trigger := ref("shop", "forecast", "llm")
	stream, err := c.StreamMetricSpec(t.Context(), trigger)
	if err != nil {
		t.Fatal(err)
	}
	r := receive(t, stream.Recv, func(m *pb.GetMetricSpecResponse) float64 {
		return m.GetMetricSpecs()[0].GetTargetSizeFloat()
	})
	r.nothing()
	for _, target := range []float64{2, 2.5, 0.001} {
		f.set(func(f *fakeForecasts) { f.capacity = target })
		if got := r.next(); got != target {
			t.Errorf("target %v, want %v", got, target)
		}
		spec, err := c.GetMetricSpec(t.Context(), trigger)
		if err != nil || spec.GetMetricSpecs()[0].GetTargetSizeFloat() != target {
			t.Errorf("GetMetricSpec: %v, error %v, want what was streamed, %v", spec, err, target)
		}
	}
}

func TestStreamEnds(t *testing.T) {
	f := start(t, func(o *Options) { o.lifetime = time.Millisecond })
	r := f.activity(t, ref("shop", "forecast", "llm"))
	if err := <-r.err; !errors.Is(err, io.EOF) {
		t.Errorf("a stream that is old ended with %v, want io.EOF: anything else is a failure to KEDA", err)
	}
	r = f.activity(t, ref("shop"))
	if err := <-r.err; status.Code(err) != codes.InvalidArgument {
		t.Errorf("a stream without a Forecast ended with %v", err)
	}
}

// The bounds of streams, of a namespace and of all.
func TestStreamLimits(t *testing.T) {
	f := start(t, func(o *Options) { o.MaxStreams, o.MaxStreamsPerNamespace = 3, 2 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := f.client(t)
	open := func(namespace string) error {
		stream, err := c.StreamIsActive(ctx, ref(namespace, "forecast", "llm"))
		if err != nil {
			return err
		}
		if namespace == "shop" {
			_, err = stream.Recv()
			return err
		}
		// There is no Forecast, so nothing is sent: the stream is open when the server counts it.
		before := f.server.service.streams.count()
		ended := receive(t, stream.Recv, (*pb.IsActiveResponse).GetResult)
		for f.server.service.streams.count() == before {
			select {
			case err := <-ended.err:
				return err
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	}
	for i, tc := range []struct {
		namespace string
		want      codes.Code
	}{
		{"shop", codes.OK},
		{"shop", codes.OK},
		{"shop", codes.ResourceExhausted},
		{"bank", codes.OK},
		{"bank", codes.ResourceExhausted},
	} {
		if err := open(tc.namespace); status.Code(err) != tc.want {
			t.Errorf("stream %d, of %s: error %v, want %v", i, tc.namespace, err, tc.want)
		}
	}
	if _, err := c.IsActive(t.Context(), ref("shop", "forecast", "llm")); err != nil {
		t.Errorf("a call beside all streams: %v", err)
	}
	cancel()
	for deadline := time.Now().Add(time.Minute); f.server.service.streams.count() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are counted after all have ended", f.server.service.streams.count())
		}
	}
}
