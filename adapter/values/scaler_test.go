package values

import (
	"cmp"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// withPeak gives a Forecast a plan of 0, and of 8 from two minutes after epoch on.
func withPeak(fc *v1alpha1.Forecast) *v1alpha1.Forecast {
	encoded := plan.Plan{
		ComputedAt: epoch, Start: epoch,
		Segments: []plan.Segment{{Step: time.Minute, Values: []float64{0, 0, 8, 8}}},
	}.Encode()
	fc.Status.Plan = &encoded
	return fc
}

func TestAhead(t *testing.T) {
	cases := map[string]struct {
		reason  string
		mode    v1alpha1.ForecastMode
		plan    bool
		at      time.Duration
		demand  float64
		want    float64
		failure adapter.Reason
	}{
		"before":   {reason: "the peak is further away than asked for", plan: true, want: 0},
		"ahead":    {reason: "the peak begins within the time asked for", plan: true, at: 95 * time.Second, want: 8},
		"within":   {reason: "the peak itself", plan: true, at: 3 * time.Minute, want: 8},
		"observed": {reason: "observed demand is never undercut", plan: true, demand: 3, want: 3},
		"dry run": {
			reason: "a plan that is not served wakes nobody", mode: v1alpha1.ForecastDryRun, plan: true,
			at: 95 * time.Second, demand: 1, want: 1,
		},
		"expired": {reason: "unknown is an error", plan: true, at: 5 * time.Minute, failure: adapter.ReasonPlanExpired},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fc := forecast()
			fc.Spec.Mode = tc.mode
			if tc.plan {
				withPeak(fc)
			}
			demand := map[string]float64{fc.Spec.Demand.Prometheus.Query: tc.demand}
			p := plansWith(t, fc, demand)
			now := epoch.Add(tc.at)
			if tc.at > 0 && tc.failure == "" { // The observation is as old as the poll.
				p.demand.latests[named("fc")] = observation{value: tc.demand, at: now}
			}
			got, err := p.Ahead("shop", "fc", now, now.Add(30*time.Second))
			var u *adapter.Unavailable
			if errors.As(err, &u); (u == nil) != (tc.failure == "") || (u != nil && u.Reason != tc.failure) {
				t.Fatalf("%s: error %v, want the reason %q", tc.reason, err, tc.failure)
			}
			if err == nil && got.Milli != int64(1000*tc.want) {
				t.Errorf("%s: %d milli, want %v", tc.reason, got.Milli, tc.want)
			}
		})
	}
	if _, err := plansWith(t, forecast(), nil).Ahead("bank", "fc", epoch, epoch); err == nil {
		t.Error("there is a value in another namespace")
	}
}

func TestCapacity(t *testing.T) {
	cases := map[string]struct {
		reason           string
		spec             float64
		status           string
		generation, seen int64
		want             float64
	}{
		"status":      {reason: "status has the newest", spec: 4, status: "5", generation: 2, seen: 2, want: 5},
		"spec":        {reason: "nothing is in status yet", spec: 4, generation: 1, want: 4},
		"spec edited": {reason: "status is of an older spec", spec: 4, status: "5", generation: 3, seen: 2, want: 4},
		"of a reader": {reason: "the spec never says", status: "2500m", generation: 3, seen: 2, want: 2.5},
		"nobody":      {reason: "an error says what to set"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fc := forecast()
			fc.Generation, fc.Status.ObservedGeneration = tc.generation, tc.seen
			if tc.status != "" {
				fc.Status.CapacityPerReplica = &v1alpha1.CapacityStatus{Value: resource.MustParse(tc.status)}
			}
			p := NewPlans(newTestObserver(nil), func(fc *v1alpha1.Forecast) (Settings, error) {
				set, err := parse(fc)
				set.Capacity = tc.spec
				return set, err
			})
			p.store(fc)
			got, err := p.Capacity("shop", "fc")
			if got != tc.want || (err == nil) != (tc.want > 0) {
				t.Errorf("%s: capacity %v, error %v, want %v", tc.reason, got, err, tc.want)
			}
		})
	}
}

// A watcher hears of changes of its Forecast alone, also of its end, and never holds them up.
func TestWatch(t *testing.T) {
	p := NewPlans(newTestObserver(nil), parse)
	changed, stop := p.Watch("shop", "fc")
	heard := func() bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	other := forecast()
	other.Name = "other"
	if p.store(other); heard() {
		t.Error("it heard of another Forecast")
	}
	for range 3 {
		p.store(forecast())
	}
	if !heard() || heard() {
		t.Error("three changes that nobody read are one element")
	}
	if p.remove(forecast()); !heard() {
		t.Error("it did not hear of the end")
	}
	stop()
	if p.store(forecast()); heard() || len(p.watchers.channels) > 0 {
		t.Error("it hears of changes after stop")
	}
}

// In replicas, every value is divided by the capacity, and the target of KEDA is one.
func TestServedInReplicas(t *testing.T) {
	cases := map[string]struct {
		reason   string
		capacity string
		plan     float64
		observed float64
		want     int64
		failure  adapter.Reason
	}{
		"plan": {reason: "the plan divided by the capacity", capacity: "5", plan: 50, want: 10_000},
		"observed": {
			reason:   "observed demand is a lower bound here too",
			capacity: "5", plan: 50, observed: 60, want: 12_000,
		},
		"fraction": {reason: "the HPA rounds up, and not the door", capacity: "8", plan: 50, want: 6_250},
		"hardly":   {reason: "1.0000001 is one replica", capacity: "50", plan: 50, observed: 50.000005, want: 1_000},
		"just under": {
			reason: "0.9999999 is one replica", capacity: "50", observed: 49.999995, want: 1_000,
		},
		"little":   {reason: "a demand is never none", capacity: "1000000", plan: 1, want: 1},
		"none":     {reason: "no demand needs no replica", capacity: "5", plan: 0, want: 0},
		"nobody":   {reason: "without a capacity there is no number", plan: 50, failure: reasonNoCapacity},
		"division": {reason: "0.3 / 0.1 is three replicas, not four", capacity: "0.1", plan: 0.3, want: 3_000},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fc := withPlan(forecast(), tc.plan, time.Hour)
			fc.Spec.Serve.Unit = v1alpha1.ServeReplicas
			if tc.capacity != "" {
				fc.Spec.CapacityPerReplica = new(resource.MustParse(tc.capacity))
			}
			p := plansWith(t, fc, map[string]float64{fc.Spec.Demand.Prometheus.Query: tc.observed})
			got, err := p.Value("shop", "fc", epoch)
			ahead, errAhead := p.Ahead("shop", "fc", epoch, epoch.Add(time.Minute))
			target, errTarget := p.Capacity("shop", "fc")
			if tc.failure != "" {
				for _, err := range []error{err, errAhead, errTarget} {
					if u, ok := errors.AsType[*adapter.Unavailable](err); !ok || u.Reason != tc.failure {
						t.Errorf("%s: error %v, want the reason %s", tc.reason, err, tc.failure)
					}
				}
				return
			}
			if err != nil || errAhead != nil || errTarget != nil {
				t.Fatalf("%s: errors %v, %v, %v", tc.reason, err, errAhead, errTarget)
			}
			if got.Milli != tc.want || ahead.Milli != tc.want || target != 1 {
				t.Errorf("%s: served %d m, ahead %d m, target %v; want %d m twice, and 1",
					tc.reason, got.Milli, ahead.Milli, target, tc.want)
			}
		})
	}
}

// A learned capacity in status counts at every door, also while the spec has just been changed, and
// within the bounds of the spec.
func TestLearnedCapacity(t *testing.T) {
	bounds := func(low, high float64) *plan.LearnedCapacity {
		return &plan.LearnedCapacity{Min: low, Max: high, DemandHash: "d", ObjectiveHash: "o"}
	}
	cases := map[string]struct {
		reason     string
		learned    *plan.LearnedCapacity
		source     string
		value      string
		generation int64 // of the spec; status is of 1
		capacity   float64
		want       float64
		demand     string // the hash in status; "d" where it is empty
		objective  string // the hash in status; "o" where it is empty
	}{
		"learned": {
			reason: "it is what status says", learned: bounds(0, 100), source: "Learned", value: "8",
			generation: 1, capacity: 5, want: 8,
		},
		"a changed spec": {
			reason: "it does not follow from the spec", learned: bounds(0, 100), source: "Learned", value: "8",
			generation: 2, capacity: 5, want: 8,
		},
		"another demand": {
			reason: "tokens are no requests", learned: bounds(0, 10000), source: "Learned", value: "8",
			generation: 2, capacity: 5000, want: 5000, demand: "other",
		},
		"another demand, status written": {
			reason: "a figure of another demand is wrong whoever writes it", learned: bounds(0, 10000),
			source: "Learned", value: "8", generation: 1, capacity: 5000, want: 5000, demand: "other",
		},
		"another demand, nothing configured": {
			reason: "no number is better than one of another demand", learned: bounds(0, 10000), source: "Learned",
			value: "8", generation: 2, capacity: 0, want: 0, demand: "other",
		},
		"another objective, higher": {
			reason: "what was carried with another objective raises nothing", learned: bounds(0, 100),
			source: "Learned", value: "8", generation: 2, capacity: 5, want: 5, objective: "other",
		},
		"another objective, lower": {
			reason: "the lower figure is the safer one", learned: bounds(0, 100), source: "Learned", value: "3",
			generation: 2, capacity: 5, want: 3, objective: "other",
		},
		"above the bound": {
			reason: "a new bound counts at once", learned: bounds(0, 6), source: "Learned", value: "8",
			generation: 2, capacity: 5, want: 6,
		},
		"below the bound": {
			reason: "a new bound counts at once", learned: bounds(10, 60), source: "Learned", value: "8",
			generation: 1, capacity: 5, want: 10,
		},
		"no longer asked": {
			reason: "the spec was changed to a fixed capacity", source: "Learned", value: "8",
			generation: 2, capacity: 5, want: 5,
		},
		"not yet learned": {
			reason: "the configured one counts", learned: bounds(0, 100), source: "Spec", value: "4",
			generation: 2, capacity: 5, want: 5,
		},
		"zero": {
			reason: "a capacity of 0 is none", learned: bounds(0, 100), source: "Learned", value: "0",
			generation: 2, capacity: 5, want: 5,
		},
		"small": {
			reason: "no rounding to thousandths", learned: bounds(0, 100), source: "Learned", value: "0.000123",
			generation: 2, capacity: 5, want: 0.000123,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fc := withPlan(forecast(), 80, time.Hour)
			fc.Generation, fc.Status.ObservedGeneration = tc.generation, 1
			fc.Status.CapacityPerReplica = &v1alpha1.CapacityStatus{
				Value: resource.MustParse(tc.value), Source: tc.source,
				DemandHash: cmp.Or(tc.demand, "d"), ObjectiveHash: cmp.Or(tc.objective, "o"),
			}
			got := capacityOf(fc, Settings{Capacity: tc.capacity, Learned: tc.learned, InReplicas: true})
			if diff := got - tc.want; diff > 1e-12 || diff < -1e-12 {
				t.Errorf("%s: %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}
