package keda

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/test/harness"
)

// poll is one request.
type poll struct {
	at, answered time.Time
	err          error
}

// polls are requests that are made again and again until the test ends.
type polls struct {
	mu  sync.Mutex
	all []poll
}

// repeat makes a request once a period, from its first success on. A request that is slow has not
// failed: the machine may stand still.
func repeat(t *testing.T, period time.Duration, request func(context.Context) error) *polls {
	t.Helper()
	p := &polls{}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			one, end := context.WithTimeout(ctx, time.Minute)
			at := time.Now()
			err := request(one)
			end()
			p.mu.Lock()
			if ctx.Err() == nil && (err == nil || len(p.all) > 0) {
				p.all = append(p.all, poll{at, time.Now(), err})
			}
			p.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(period):
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return p
}

// failed returns how many polls were made since an instant, those that failed, and the longest time
// from the start of a first failed poll to the next answer.
func (p *polls) failed(since time.Time) (count int, failures []error, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first time.Time
	for _, one := range p.all {
		if one.at.Before(since) {
			continue
		}
		count++
		if one.err != nil {
			failures = append(failures, fmt.Errorf("%s, after %s: %w", one.at.Format(time.TimeOnly), one.answered.Sub(one.at),
				one.err))
			if first.IsZero() {
				first = one.at
			}
		}
		if !first.IsZero() {
			longest = max(longest, one.answered.Sub(first))
		}
		if one.err == nil {
			first = time.Time{}
		}
	}
	return count, failures, longest
}

// slowest returns the longest time that a poll took, and when.
func (p *polls) slowest() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var most poll
	for _, one := range p.all {
		if one.answered.Sub(one.at) > most.answered.Sub(most.at) {
			most = one
		}
	}
	return fmt.Sprintf("%s at %s", most.answered.Sub(most.at).Round(time.Millisecond), most.at.Format(time.TimeOnly))
}

// watchPolls reads the metric of Headstart's trigger all the time through the API server and KEDA,
// as the HPA controller does. The ScaledObject has no fallback, which would hide a failed poll.
func watchPolls(t *testing.T, w *harness.World) *polls {
	t.Helper()
	return repeat(t, 100*time.Millisecond, func(ctx context.Context) error {
		return kedaMetric(ctx, w, launch)
	})
}

// kedaMetric reads the metric of the first trigger of a ScaledObject.
func kedaMetric(ctx context.Context, w *harness.World, name string) error {
	path := fmt.Sprintf("/apis/external.metrics.k8s.io/v1beta1/namespaces/%s/s0-%s", namespace, name)
	_, err := w.Client.Discovery().RESTClient().Get().AbsPath(path).
		Param("labelSelector", "scaledobject.keda.sh/name="+name).DoRaw(ctx)
	return err
}

// testOneReplicaKilled kills the replica that plans, and starts it again at its old address. KEDA's
// polls do not fail for longer than one polling interval.
func testOneReplicaKilled(t *testing.T, w *harness.World, p *polls) {
	ended, err := w.Revive(t.Context())
	for _, what := range ended {
		t.Log(what)
	}
	if err != nil {
		t.Fatal(err)
	}
	owner, err := w.AwaitOwner(t.Context(), namespace, ahead)
	if err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	owner.Kill()
	time.Sleep(5 * time.Second)
	again, err := w.Restart(t.Context(), slices.Index(w.Adapters, owner))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.AwaitReady(t.Context(), 3*time.Minute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	count, failures, longest := p.failed(since)
	t.Logf("%d of %d polls failed, for at most %s", len(failures), count, longest.Round(time.Millisecond))
	for _, err := range failures[:min(len(failures), 3)] {
		t.Log(err)
	}
	if longest > pollingInterval {
		t.Errorf("polls failed for %s, want at most a polling interval, %s", longest, pollingInterval)
	}
	if count < 20 {
		t.Errorf("only %d polls were made", count)
	}
}

// Two workloads with a peak, which ends while all of Headstart is away. One has a fallback.
const (
	held, heldByFallback = "held", "held-by-fallback"
	// outage is the least time from the end of the day to the end of their peak.
	outage = 30 * time.Second
)

// applyHeld applies them. KEDA opens a new connection for each spelling of an address. Their address
// is in capitals, so KEDA has to accept the certificate that is served now.
func applyHeld(t *testing.T, w *harness.World, end time.Time) {
	t.Helper()
	scaler := strings.Replace(w.Scaler, "headstart-scaler", "HEADSTART-SCALER", 1)
	begin := end.Truncate(time.Minute).Add(-10 * time.Minute) // the API takes whole seconds
	for name, fallback := range map[string]string{
		held: "", heldByFallback: "fallback: {failureThreshold: 3, replicas: 1, behavior: currentReplicasIfHigher}",
	} {
		if err := w.Apply(t.Context(), workload(name, scaler, begin, end.Sub(begin), fallback)); err != nil {
			t.Fatal(err)
		}
	}
}

// testAllAway stops all of Headstart in a peak. Its end is not seen, so the workloads keep their
// replicas. With Headstart they would be back at 0, as after the peak from zero.
func testAllAway(t *testing.T, w *harness.World, peakEnd time.Time) {
	for _, name := range []string{held, heldByFallback} {
		if wanted, ready := replicas(t, w, name); wanted != peakReplicas || ready != peakReplicas {
			t.Errorf("%s has %d replicas wanted and %d ready in the peak, want %d of each", name, wanted, ready, peakReplicas)
		}
	}
	for _, h := range w.Adapters {
		h.Kill()
	}
	before := w.Simulator.State(ahead).Wanted
	if left := time.Until(peakEnd); left < 0 {
		t.Fatalf("the peak ended %s before Headstart", -left)
	}
	until := peakEnd.Add(15 * time.Second)
	for ; time.Now().Before(until); time.Sleep(time.Second) {
		if now := w.Simulator.State(ahead).Wanted; now < before {
			t.Fatalf("%d replicas of %s are wanted, %d when Headstart went away", now, ahead, before)
		}
		for _, name := range []string{held, heldByFallback} {
			if wanted, _ := replicas(t, w, name); wanted != peakReplicas {
				t.Fatalf("%d replicas of %s are wanted %s after the peak, want %d still", wanted, name,
					time.Since(peakEnd).Round(time.Second), peakReplicas)
			}
		}
	}
}

// missing is a workload whose Forecast does not exist. Headstart answers with the target, and with an
// error for the value: these are the failures that KEDA counts for its fallback. It counts none while
// all of Headstart is away, since it knows no target then.
const (
	missing          = "missing"
	fallbackReplicas = 3
)

func applyMissing(t *testing.T, w *harness.World) {
	t.Helper()
	all := strings.Split(workload(missing, w.Scaler, time.Now(), time.Minute,
		fmt.Sprintf("fallback: {failureThreshold: 3, replicas: %d}", fallbackReplicas)), "---\n")
	object := strings.NewReplacer("minReplicaCount: 0", "minReplicaCount: 1",
		"forecast: "+missing, `forecast: nothing, targetValue: "5"`).Replace(all[len(all)-1])
	deployment := strings.Replace(all[0], "replicas: 0", "replicas: 1", 1) // at 0 replicas an HPA does nothing
	if err := w.Apply(t.Context(), deployment+"---\n"+object); err != nil {
		t.Fatal(err)
	}
}

// testFallback: the workload whose Forecast is missing has the replicas of the fallback.
func testFallback(t *testing.T, w *harness.World) {
	var wanted int32
	for deadline := time.Now().Add(2 * time.Minute); wanted != fallbackReplicas; time.Sleep(200 * time.Millisecond) {
		if wanted, _ = replicas(t, w, missing); time.Now().After(deadline) {
			t.Fatalf("%d replicas are wanted, want those of the fallback, %d", wanted, fallbackReplicas)
		}
	}
}
