package reads

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/history"
)

// demandOf returns the key of a Forecast's demand.
func demandOf(namespace, name string) Key {
	return Key{Forecast: types.NamespacedName{Namespace: namespace, Name: name}, Part: Demand}
}

// hangingReader is a reader that does not answer until its context ends.
type hangingReader struct{}

func (hangingReader) Notes() history.Notes { return history.Notes{} }

func (hangingReader) Read(ctx context.Context) (history.Series, int, error) {
	<-ctx.Done()
	return history.Series{}, 0, ctx.Err()
}

// A Forecast that forgets a part keeps the others, and two parts are read side by side.
func TestPartsAreIndependent(t *testing.T) {
	f := New()
	demand := demandOf("shop", "fc")
	latency := Key{demand.Forecast, Latency}
	f.Request(demand, "default", hangingReader{})
	f.Request(latency, "default", hangingReader{})
	if keyOfItem(latency.item()) != latency {
		t.Errorf("%v in a queue is %v", latency, keyOfItem(latency.item()))
	}
	f.Forget(demand.Forecast, Latency)
	if !f.Busy(demand) || f.Busy(latency) {
		t.Errorf("demand pending: %t, latency: %t; only the latency was to be forgotten", f.Busy(demand), f.Busy(latency))
	}
	f.Request(latency, "default", hangingReader{})
	if f.Forget(demand.Forecast); f.Busy(demand) || f.Busy(latency) {
		t.Error("a Forecast that is forgotten has a pending read")
	}
}

// blockingReader is a reader that reads until it is cancelled. Its channels report the begin and
// the end.
type blockingReader struct {
	begun chan struct{}
	ended chan error
}

func (blockingReader) Notes() history.Notes { return history.Notes{} }

func (r blockingReader) Read(ctx context.Context) (history.Series, int, error) {
	close(r.begun)
	<-ctx.Done()
	r.ended <- ctx.Err()
	return history.Series{}, 0, ctx.Err()
}

// started returns a Fetcher that reads until the test ends.
func started(t *testing.T) *Fetcher {
	t.Helper()
	f := New()
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = f.Start(t.Context()) }()
	t.Cleanup(func() { <-stopped })
	return f
}

// A running read is cancelled when its Forecast is deleted. It would occupy a worker of its source
// for minutes. Its result is dropped.
func TestForgetCancelsARunningRead(t *testing.T) {
	f := started(t)
	key := demandOf("shop", "fc")
	r := blockingReader{make(chan struct{}), make(chan error, 1)}
	f.Request(key, "default", r)
	<-r.begun
	f.Forget(key.Forecast)
	if err := <-r.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the read ended with %v, want %v", err, context.Canceled)
	}
	<-f.Done()
	if got, ok := f.Take(key); ok || f.Busy(key) {
		t.Errorf("after forget there is a result %+v, or a pending read", got)
	}
}

// A worker of the old source must not use the reader of the new source: a reader is not safe for
// concurrent use.
func TestWorkerOfOldSourceIgnoresNewRead(t *testing.T) {
	f := New()
	key := demandOf("shop", "fc")
	f.Request(key, "old", hangingReader{})
	f.Forget(key.Forecast)
	f.Request(key, "new", hangingReader{})
	f.ctx, f.done = t.Context(), nil
	ended := make(chan struct{})
	go func() { f.read("old", key); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("a worker of the old source reads with the reader of the new source")
	}
	if !f.Busy(key) {
		t.Error("the read of the new source is gone")
	}
}

// slowReader answers after a time.
type slowReader time.Duration

func (slowReader) Notes() history.Notes { return history.Notes{} }

func (r slowReader) Read(ctx context.Context) (history.Series, int, error) {
	select {
	case <-time.After(time.Duration(r)):
		return history.Series{}, 0, nil
	case <-ctx.Done():
		return history.Series{}, 0, ctx.Err()
	}
}

// Eighty reads of one namespace, each of which takes minutes, do not delay those of another.
func TestSlowReadsOfOneNamespaceDelayNoOther(t *testing.T) {
	for name, slow := range map[string]time.Duration{"slow": 4 * time.Minute, "never answered": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := started(t)
				ask := func() {
					for i := range 80 {
						f.Request(demandOf("slow", fmt.Sprint(i)), "s", slowReader(slow))
					}
				}
				go func() { // the reconciler, which asks again
					for {
						select {
						case <-f.Done():
						case <-t.Context().Done():
							return
						}
					}
				}()
				ask()
				time.Sleep(time.Minute)
				for step := range 120 {
					ask()
					f.Request(demandOf("shop", "fc"), "s", slowReader(100*time.Millisecond))
					time.Sleep(time.Second)
					if _, ok := f.Take(demandOf("shop", "fc")); !ok {
						t.Fatalf("step %d: the neighbour's history was not read within a second", step)
					}
					time.Sleep(59 * time.Second)
				}
			})
		})
	}
}

// A read that a source answers request by request, and never ends, is a timeout: whoever asked may
// ask for less.
func TestAReadThatNeverEndsIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New()
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { defer close(stopped); _ = f.Start(ctx) }()
		f.Request(demandOf("shop", "fc"), "main", hangingReader{})
		<-f.Done()
		got, ok := f.Take(demandOf("shop", "fc"))
		e, own := errors.AsType[*history.Error](got.Err)
		if !ok || !own || e.Kind != history.ErrTimeout || e.Source != "main" {
			t.Errorf("a result: %t, with %v", ok, got.Err)
		}
		cancel()
		<-stopped
	})
}
