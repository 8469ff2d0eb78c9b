// Package storm lets faults of all kinds happen to Headstart on a real control plane, and checks
// from outside that none does harm: to an HPA, to a neighbour, or for good.
package storm

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/harness"
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
	w.awaitCalm("the calm before the storm", setUp)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var broken violations
	s := &storm{w: w, rng: rand.New(rand.NewPCG(*seed, 1))}
	o := &watch{violations: &broken, w: w, client: insecureClient(), shared: s.shared}
	var running sync.WaitGroup
	running.Go(func() { w.supervise(ctx) })
	running.Go(func() { o.doors(ctx, rand.New(rand.NewPCG(*seed, 2))) })
	running.Go(func() { o.hpas(ctx) })
	running.Go(func() { o.resources(ctx) })

	w.began = time.Now()
	s.blow(t, *duration)
	w.awaitCalm("after the storm", convergence)
	pause(ctx, 5*time.Second)
	w.checkNothingLeft()
	stop()
	running.Wait()
	broken.report(t)
	t.Logf("%d answers and %d errors; at most %d MiB and %d goroutines in a replica", o.answers, o.failures, o.peakMiB,
		o.peakGoroutines)
	if o.answers < int(duration.Seconds()) {
		t.Errorf("only %d answers were checked", o.answers)
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

// awaitCalm waits until everything is as in a calm run: every Forecast is Ready with a fresh plan,
// every HPA wants what the demand needs, both doors of every replica answer for every service, and
// the placeholders of the peak are held.
func (w *world) awaitCalm(what string, deadline time.Duration) {
	w.t.Helper()
	began := time.Now()
	var wrong []string
	for {
		wrong = w.notCalm(began)
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

// notCalm returns what is not as in a calm run. Plans must be newer than an instant.
func (w *world) notCalm(since time.Time) []string {
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if err := w.Failed(); err != nil {
		add("%v", err)
		return wrong
	}
	list, err := w.Client.AutoscalingV2().HorizontalPodAutoscalers("").List(ctx, metav1.ListOptions{})
	if err != nil {
		add("HPAs: %v", err)
		return wrong
	}
	for i := range list.Items {
		if h := &list.Items[i]; h.Status.DesiredReplicas != base || h.Status.CurrentReplicas != base {
			add("HPA %s/%s wants %d", h.Namespace, h.Name, h.Status.DesiredReplicas)
		}
	}
	o := &watch{violations: &violations{}, w: w, client: insecureClient()}
	for _, s := range w.services {
		f, err := harness.GetForecast(ctx, w.ControlPlane, s.namespace, s.name)
		if err != nil {
			add("%v", err)
			continue
		}
		if c := f.Condition("Ready"); c.Status != metav1.ConditionTrue {
			add("%s/%s: Ready=%s, %s: %s", s.namespace, s.name, c.Status, c.Reason, c.Message)
		}
		if f.Status.Plan == nil || f.Status.Plan.ComputedAt.Time.Before(since.Add(-time.Minute)) {
			add("%s/%s has no fresh plan", s.namespace, s.name)
		}
		for _, r := range w.replicas {
			for door, path := range doors(s) {
				v, err := o.ask(ctx, r.process().Address, path)
				got := v.Value.AsApproximateFloat64()
				if err != nil || got < lowest*s.demand || got > highest*s.demand {
					add("%s, %s door, %s/%s: %g, %v; want about %g", r.options.Name, door, s.namespace, s.name, got, err, s.demand)
				}
			}
		}
		if len(wrong) > 20 {
			return wrong
		}
	}
	if n, err := w.placeholders(ctx); err != nil || n != heldForPeak {
		add("%d placeholders, %v; want %d", n, err, heldForPeak)
	}
	return wrong
}

func (w *world) placeholders(ctx context.Context) (int, error) {
	pods, err := w.Client.CoreV1().Pods("headstart-warm").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			n++
		}
	}
	return n, nil
}

// checkNothingLeft deletes the WarmPool, after which nothing that Headstart made for it is left.
func (w *world) checkNothingLeft() {
	w.t.Helper()
	ctx := w.t.Context()
	if _, err := w.Kubectl(ctx, nil, "delete", "-n", warmNamespace, "warmpools.headstart.dev", "warm"); err != nil {
		w.t.Error(err)
	}
	var n int
	var err error
	for began := time.Now(); time.Since(began) < time.Minute; pause(ctx, time.Second) {
		if n, err = w.placeholders(ctx); err == nil && n == 0 {
			return
		}
	}
	w.t.Errorf("%d placeholders are left without a WarmPool, %v", n, err)
}
