package e2e

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// The compressed day of the tests.
const (
	day         = 5 * time.Minute
	step        = 2 * time.Second
	stepsPerDay = int(day / step)
	hour        = day / 24
	pastDays    = 14
	hpaSync     = 2 * time.Second
	capacity    = 22 // of a replica, in requests per second
	namespace   = "shop"
)

// All services have the same demand.
const (
	reactive  = "reactive"  // its HPA reads observed demand
	headstart = "headstart" // its HPA reads the plan
	cut       = "cut"       // as headstart, but its Prometheus is down for half a day
)

// world starts on a Wednesday after two weeks of history, with three services and two replicas of
// Headstart.
func world(t *testing.T) *harness.World {
	t.Helper()
	cp := controlplane.DefaultOptions(env.layout.Bin)
	cp.StateRoot, cp.Log, cp.HPASyncPeriod = t.TempDir(), t.Output(), hpaSync
	cp.Nodes = []controlplane.NodePool{controlplane.GPUNodes(16, 8)}
	service := func(name, mode, source string) harness.Service {
		return harness.Service{
			Namespace: namespace, Name: name, Source: source, Mode: mode, Capacity: capacity, Min: 1, Max: 20,
			WarmUp:          controlplane.WarmUp{Create: 3 * time.Second, Load: 7 * time.Second},
			ScaleDownWindow: 12 * time.Second,
			ProvisionFor:    `{serviceLevel: "0.9"}`, Step: step, Horizon: day, DefaultLead: 30 * time.Second,
			History: (pastDays + 1) * day,
		}
	}
	w, err := harness.NewWorld(t.Context(), harness.WorldOptions{
		Layout: env.layout, Log: t.Output(), ControlPlane: cp, Step: step,
		Values: demand(), Past: pastDays * stepsPerDay, SetUp: 80 * time.Second,
		Services: []harness.Service{
			service(reactive, "DryRun", "default"), service(headstart, "Active", "default"), service(cut, "Active", cut),
		},
		Sources: []string{"default", cut}, Adapters: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

// demand covers two weeks, the day that is tested, and one more. The generator starts with a
// Monday.
func demand() []float64 {
	week := simulator.DefaultWeek(2+pastDays+2, stepsPerDay)
	week.Noise, week.DayToDay = 0.015, 0.015
	return week.Values()[2*stepsPerDay:]
}

// TestOneDay tests one day in the life of three services. Because a day takes minutes, all checks
// share it.
func TestOneDay(t *testing.T) {
	w := world(t)
	if err := w.AwaitStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := w.Simulator.Accounts()
	records := observe(t, w)
	end := w.Simulator.Accounts()
	t.Run("AheadBeatsReactive", func(t *testing.T) {
		checkVerdict(t, end[reactive].Sub(begin[reactive]), end[headstart].Sub(begin[headstart]))
	})
	t.Run("PrometheusKilledForHalfADay", func(t *testing.T) { checkOutage(t, records) })
	t.Run("OwnerKilled", func(t *testing.T) { testOwnerKilled(t, w) })
	t.Run("AllRestarted", func(t *testing.T) { testAllRestarted(t, w) })
	if err := w.Failed(); err != nil {
		t.Error(err)
	}
}

// checkVerdict checks the share of demand that is left unserved, and its cost.
func checkVerdict(t *testing.T, a, b simulator.Account) {
	for name, x := range map[string]simulator.Account{reactive: a, headstart: b} {
		t.Logf("%-10s unserved %6.3f %%, %.3f replica-hours, utilisation %.1f %%", name, 100*x.Unserved(), x.ReplicaHours(),
			100*x.Utilisation())
	}
	if a.Unserved() < 0.02 {
		t.Errorf("the reactive service leaves %.2f %% unserved: the scenario is too easy, want at least 2 %%",
			100*a.Unserved())
	}
	if share := b.Unserved() / a.Unserved(); share > 0.2 {
		t.Errorf("headstart leaves %.3f of the reactive service's share unserved, want at most 0.2", share)
	}
	if hours := b.ReplicaHours() / a.ReplicaHours(); hours > 1.3 {
		t.Errorf("headstart takes %.3f times the replica-hours, want at most 1.3", hours)
	}
}

// record is the state, at one instant, of the two services whose HPAs read the plan.
type record struct {
	at          time.Time
	outage      bool
	whole, cut  simulator.State
	served      [2]float64 // to the HPAs of whole and cut, in requests per second
	metricError error      // of the service whose Prometheus is down
}

// observe records a day, second by second, and kills a Prometheus for its busiest half.
func observe(t *testing.T, w *harness.World) []record {
	t.Helper()
	from, to := w.Start.Add(4*hour), w.Start.Add(16*hour)
	var records []record
	killed, restored := false, false
	for tick := w.Start; tick.Before(w.Start.Add(day)); tick = tick.Add(time.Second) {
		time.Sleep(time.Until(tick))
		err := w.Failed()
		if err != nil {
			t.Fatal(err)
		}
		if now := time.Now(); !killed && now.After(from) {
			w.Sources[cut].Kill()
			killed = true
		} else if !restored && now.After(to) {
			restored = true
			if err := w.Sources[cut].Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r := record{
			at: time.Now(), outage: killed && !restored, whole: w.Simulator.State(headstart),
			cut: w.Simulator.State(cut),
		}
		r.served[1], r.metricError = harness.ExternalMetric(t.Context(), w.ControlPlane, namespace, cut)
		if r.served[0], err = harness.ExternalMetric(t.Context(), w.ControlPlane, namespace, headstart); err != nil {
			t.Errorf("no metric beside an outage: %v", err)
		}
		records = append(records, r)
	}
	return records
}

// checkOutage checks that the metric was always there, and that it differed from that of the other
// service by half a replica on the mean, and never by more than two. The two HPAs read their
// metrics at different instants, so a record may match one that is up to two syncs earlier or
// later.
//
// The counts of the HPAs may differ by more. An HPA does nothing while the metric is within a tenth
// of what its replicas can serve. So of two HPAs with 10 replicas, the one that reads 11.0 replicas
// stays at 10, and the one that reads 11.1 goes to 12.
func checkOutage(t *testing.T, records []record) {
	const slack = 2*hpaSync + 500*time.Millisecond // records are a second apart: four before and four after
	outages, worst, apart, sum := 0, 0, 0.0, 0.0
	for i, r := range records {
		if !r.outage {
			continue
		}
		outages++
		since := r.at.Sub(records[0].at).Round(time.Second)
		if r.metricError != nil {
			t.Errorf("%s into the day: no metric: %v", since, r.metricError)
		}
		counts, replicas := abs(r.whole.Wanted-r.cut.Wanted), math.Abs(r.served[0]-r.served[1])/capacity
		for _, near := range records {
			if d := near.at.Sub(records[i].at); -slack <= d && d <= slack {
				counts = min(counts, abs(near.whole.Wanted-r.cut.Wanted))
				replicas = min(replicas, math.Abs(near.served[0]-r.served[1])/capacity)
			}
		}
		if idle := max(r.whole.Wanted, r.cut.Wanted) / 10; counts > max(worst, 1+idle) {
			t.Errorf("%s into the day: %d replicas wanted without Prometheus, %d with it", since, r.cut.Wanted, r.whole.Wanted)
		}
		if replicas > max(apart, 2) {
			t.Errorf("%s into the day: a metric of %.1f without Prometheus, %.1f with it", since, r.served[1], r.served[0])
		}
		worst, apart, sum = max(worst, counts), max(apart, replicas), sum+replicas
	}
	if outages < int((day/2-10*time.Second)/time.Second) {
		t.Errorf("only %d seconds of outage were seen", outages)
	}
	mean := sum / float64(outages)
	if mean > 0.5 {
		t.Errorf("metrics differ by %.2f replicas on the mean", mean)
	}
	t.Logf("over %d s without Prometheus, metrics differ by %.2f replicas on the mean, %.2f at most, and replicas by %d",
		outages, mean, apart, worst)
}

func abs(x int) int { return max(x, -x) }

// testOwnerKilled kills the one of two replicas behind one port that plans for a service. Requests
// through the API server go on, and the other replica starts to plan.
func testOwnerKilled(t *testing.T, w *harness.World) {
	owner := theOwner(t, w)
	before, err := harness.GetForecast(t.Context(), w.ControlPlane, namespace, headstart)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	longest := make(chan time.Duration, 1)
	requests := 0
	go func() { longest <- longestFailure(ctx, w, &requests) }()
	time.Sleep(time.Second)
	owner.Kill()
	killed := time.Now()
	_, err = harness.AwaitForecast(t.Context(), w.ControlPlane, namespace, headstart, 3*time.Minute,
		func(f *harness.Forecast) bool {
			return f.Status.Plan != nil && f.Status.Plan.ComputedAt.After(killed) &&
				f.Status.Plan.ComputedAt.After(before.Status.Plan.ComputedAt.Time)
		})
	took := time.Since(killed)
	stop()
	failure := <-longest
	if err != nil {
		t.Errorf("nobody took over: %v", err)
	}
	t.Logf("longest span without an answer %s over %d requests; the next plan came after %s",
		failure.Round(time.Millisecond), requests,
		took.Round(100*time.Millisecond))
	if failure > hpaSync {
		t.Errorf("metric requests failed for %s, want at most %s", failure, hpaSync)
	}
	if requests < 20 {
		t.Errorf("only %d requests were made", requests)
	}
}

// theOwner returns the replica that plans for the service. A replica that lost its lease because
// the machine stood still has ended. It is started again, as a kubelet does.
func theOwner(t *testing.T, w *harness.World) *harness.Headstart {
	t.Helper()
	ended, err := w.Revive(t.Context())
	for _, what := range ended {
		t.Log(what)
	}
	if err != nil {
		t.Fatal(err)
	}
	owner, err := w.AwaitOwner(t.Context(), namespace, headstart)
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

// longestFailure requests the metric until ctx ends, and returns the longest time from a first
// failed request to the next answer.
func longestFailure(ctx context.Context, w *harness.World, requests *int) time.Duration {
	var longest time.Duration
	var since time.Time
	for ctx.Err() == nil {
		requested := time.Now()
		request, end := context.WithTimeout(ctx, 5*time.Second)
		_, err := harness.ExternalMetric(request, w.ControlPlane, namespace, headstart)
		end()
		if ctx.Err() != nil && err != nil {
			break // cut off by the end of the test
		}
		*requests++
		if err != nil && since.IsZero() {
			since = requested
		}
		if !since.IsZero() {
			longest = max(longest, time.Since(since))
		}
		if err == nil {
			since = time.Time{}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return longest
}

// testAllRestarted kills every replica and starts one. That one serves the plan that was published
// before.
func testAllRestarted(t *testing.T, w *harness.World) {
	for _, h := range w.Adapters {
		h.Kill()
	}
	f, err := harness.GetForecast(t.Context(), w.ControlPlane, namespace, headstart)
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	h, err := w.Restart(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got float64
	var requested time.Time
	for {
		requested = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		got, err = h.Direct(ctx, namespace, headstart)
		cancel()
		if err == nil || time.Since(started) > time.Minute {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	answered := time.Now()
	took := answered.Sub(started)
	if err != nil {
		t.Fatalf("no metric from a restarted replica: %v; the end of its log:\n%s", err, h.Tail())
	}
	t.Logf("the metric was served %s after the start", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("the metric was served %s after the start, want at most 5s", took)
	}
	if err := sameAsPlan(f.Status.Plan, requested, answered, got, w.Simulator.State(headstart).Demand); err != nil {
		t.Error(err)
	}
}

// sameAsPlan compares a value, requested and answered at these times, with a plan up to a step
// earlier or later. Observed demand above the plan is accepted, too.
func sameAsPlan(p *harness.Plan, requested, answered time.Time, got, demand float64) error {
	low, high := math.Inf(1), math.Inf(-1)
	for at := requested.Add(-step); !at.After(answered.Add(step)); at = at.Add(step / 4) {
		if v, ok := p.At(at); ok {
			low, high = min(low, v), max(high, v)
		}
	}
	const slack = 0.01 // a plan has a few digits
	if got < low*(1-slack) || got > max(high, 1.1*demand)*(1+slack) {
		return fmt.Errorf("the served value is %.2f; the plan has %.2f to %.2f, and demand is %.2f", got, low, high, demand)
	}
	return nil
}
