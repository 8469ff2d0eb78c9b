// Package storm lets faults of all kinds happen to Headstart on a real control plane, and checks
// from outside that none does harm: to an HPA, to a neighbour, or for good.
package storm

import (
	"context"
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/test/e2e/storm/invariants"
)

var (
	seed     = flag.Uint64("seed", 0, "seed of the storm; 0 takes one from the clock")
	duration = flag.Duration("storm", 150*time.Second, "how long the storm lasts")
)

// convergence is the time after the storm until everything is as in a calm run.
const convergence = 2 * time.Minute

// TestStorm lets random faults happen to three replicas that serve fifty Forecasts of five tenants.
// Its seed is printed, and makes the same storm again.
func TestStorm(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("make storm SEEDS=%d makes this storm again", *seed)
	w := newWorld(t)
	w.began = time.Now()
	s := &storm{w: w, rng: rand.New(rand.NewPCG(*seed, 1))}
	o := w.watch(s.shared)
	w.awaitCalm(o, "the calm before the storm", setUp)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { w.supervise(ctx) })
	running.Go(func() { o.Doors(ctx, rand.New(rand.NewPCG(*seed, 2))) })
	running.Go(func() { o.HPAs(ctx) })
	running.Go(func() { o.Resources(ctx) })

	w.began = time.Now()
	s.blow(t, *duration)
	w.awaitCalm(o, "after the storm", convergence)
	pause(ctx, 5*time.Second)
	if _, err := w.Kubectl(ctx, nil, "delete", "-n", warmNamespace, "warmpools.headstart.dev", "warm"); err != nil {
		t.Error(err)
	}
	if err := o.Left(ctx, time.Minute); err != nil {
		t.Error(err)
	}
	stop()
	running.Wait()
	for _, broken := range o.Report() {
		t.Error(broken)
	}
	seen := o.Seen()
	t.Logf("%d answers and %d errors; at most %d MiB and %d goroutines in a replica", seen.Answers, seen.Failures,
		seen.PeakMiB, seen.PeakGoroutines)
	if seen.Answers < int(duration.Seconds()) {
		t.Errorf("only %d answers were checked", seen.Answers)
	}
}

// storm lets faults happen, two at a time.
type storm struct {
	w   *world
	rng *rand.Rand

	mu     sync.Mutex
	active int       // faults that others may notice
	ended  time.Time // when the last of those ended
}

// shared returns since when no fault but the rogue tenant's is active.
func (s *storm) shared() (since time.Time, calm bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended, s.active == 0
}

func (s *storm) note(f fault, change int) {
	if f.tenant {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active += change
	s.ended = time.Now()
}

// blow lets faults happen for a while, and returns once all have ended. Every kind happens before
// one happens again.
func (s *storm) blow(t *testing.T, lasts time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var left []fault
	next := func() (fault, time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if len(left) == 0 {
			left = s.w.faults(s.rng)
			s.rng.Shuffle(len(left), func(i, k int) { left[i], left[k] = left[k], left[i] })
		}
		f := left[0]
		left = left[1:]
		return f, f.longest/4 + time.Duration(s.rng.Int64N(int64(f.longest-f.longest/4)))
	}
	end := time.Now().Add(lasts)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				f, d := next()
				s.happen(t, f, d)
			}
		})
	}
	both.Wait()
}

func (s *storm) happen(t *testing.T, f fault, d time.Duration) {
	ctx := t.Context()
	t.Logf("%s  %s, for %s", s.w.since(), f.name, d.Round(100*time.Millisecond))
	s.note(f, 1)
	defer s.note(f, -1)
	// While the API server is away, a fault that needs it does not happen.
	if err := f.begin(ctx); err != nil {
		t.Logf("%s  did not begin: %s: %.200v", s.w.since(), f.name, err)
	}
	pause(ctx, d)
	for attempt := 1; ; attempt++ {
		err := f.end(ctx)
		if err == nil {
			return
		}
		if attempt == 60 || ctx.Err() != nil {
			t.Errorf("%s  did not end: %s: %v", s.w.since(), f.name, err)
			return
		}
		pause(ctx, time.Second)
	}
}

// awaitCalm waits until everything is as in a calm run.
func (w *world) awaitCalm(o *invariants.Watch, what string, deadline time.Duration) {
	w.t.Helper()
	began := time.Now()
	var wrong []string
	for {
		wrong = w.notCalm(o, began)
		if len(wrong) == 0 {
			w.t.Logf("%s: all is well after %s", what, time.Since(began).Round(time.Second))
			return
		}
		if time.Since(began) > deadline || w.t.Context().Err() != nil {
			break
		}
		pause(w.t.Context(), time.Second)
	}
	w.t.Errorf("%s: after %s %d things are not as in a calm run:\n  %s", what, deadline, len(wrong),
		strings.Join(wrong[:min(len(wrong), 12)], "\n  "))
	for _, r := range w.replicas {
		w.t.Logf("the end of the log of %s:\n%s", r.options.Name, r.process().Tail())
	}
}

// notCalm returns what is not as in a calm run. Plans may be a minute older than an instant.
func (w *world) notCalm(o *invariants.Watch, since time.Time) []string {
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	if err := w.Failed(); err != nil {
		return []string{err.Error()}
	}
	return o.NotCalm(ctx, since.Add(-time.Minute), heldForPeak)
}
