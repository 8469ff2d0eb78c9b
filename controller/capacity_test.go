package controller

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// measurements answer queries by functions of time, for the tests of a learned capacity.
type measurements map[string]func(time.Time) (float64, error)

func (m measurements) Range(
	_ context.Context, query string, from, to time.Time, step time.Duration, _ func(done, total int),
) (history.Series, history.Notes, error) {
	s := history.Series{Start: from, Step: step}
	f, ok := m[query]
	if !ok {
		return s, history.Notes{}, &history.Error{Kind: history.ErrNoSeries, Message: "no series"}
	}
	for at := from; at.Before(to); at = at.Add(step) {
		v, err := f(at)
		if err != nil {
			return history.Series{}, history.Notes{}, err
		}
		s.Values = append(s.Values, v)
	}
	return s, history.Notes{}, nil
}

// trueCapacity is what a replica of the simulated service serves within half a second.
const trueCapacity = 8.0

// ready is the number of replicas that an HPA has at an instant for demand of daily(0): as many as
// 90 % of the true capacity needs, looked at every hour.
func ready(at time.Time) (float64, error) {
	hour := history.FloorTo(at, time.Hour)
	return math.Ceil(daily(0)(hour) / (0.9 * trueCapacity)), nil
}

// latency of the service: it passes half a second where a replica has more than capacity.
func latency(capacity float64) func(time.Time) (float64, error) {
	return func(at time.Time) (float64, error) {
		n, _ := ready(at)
		load := daily(0)(at) / n / capacity
		r := rand.New(rand.NewPCG(uint64(at.Unix()), 2))
		return 0.5 / 7 / max(0.02, 1+1.0/7-load) * (1 + 0.02*r.NormFloat64()), nil
	}
}

// learningForecast learns its capacity. Until then it is 5.
func learningForecast(change func(*v1alpha1.Forecast)) *v1alpha1.Forecast {
	fc := fiveMinuteForecast()
	fc.Spec.TargetRef.Name = "face-fusion"
	fc.Spec.Serve.Unit = v1alpha1.ServeReplicas
	fc.Spec.Capacity = &v1alpha1.Capacity{
		Objective: &v1alpha1.Objective{Query: "latency", AtMost: "0.5"}, Default: new(resource.MustParse("5")),
		Attain: "0.95",
	}
	if change != nil {
		change(fc)
	}
	return fc
}

// tooHigh is the change of a Forecast whose configured capacity is half as much again as the true one.
func tooHigh(fc *v1alpha1.Forecast) { fc.Spec.Capacity.Default = new(resource.MustParse("12")) }

const readyQuery = `max(kube_deployment_status_replicas_ready{namespace="shop",deployment="face-fusion"})`

// learningFixture is a fixture with one Forecast whose capacity is learned.
func learningFixture(t *testing.T, m measurements, fc *v1alpha1.Forecast) *fixture {
	t.Helper()
	f := newFixture(t, dailyHistory(0), fc, deployment())
	f.openEvidence = func(string, string) (evidence.Source, error) { return m, nil }
	return f
}

// learnFor reconciles every five minutes, each time until all is read that is due.
func (f *fixture) learnFor(t *testing.T, d time.Duration) {
	t.Helper()
	for end := f.clock.Now().Add(d); f.clock.Now().Before(end); {
		f.clock.SetTime(f.clock.Now().Add(5 * time.Minute))
		for range 5 { // Demand, a week of evidence, the rest of it, and what is new in it.
			f.reconcile(t, "fc")
			f.awaitReads()
		}
		f.reconcile(t, "fc")
	}
}

// awaitReads waits until nothing is read.
func (f *fixture) awaitReads() {
	ahead := reads.Ahead{Fetcher: f.fetch}
	for _, part := range append(reads.Evidence(), reads.Demand) {
		for key := (reads.Key{Forecast: named("fc"), Part: part}); f.fetch.Busy(key) || ahead.Busy(key); {
			time.Sleep(time.Millisecond)
		}
	}
	for len(f.fetch.Done()) > 0 {
		<-f.fetch.Done()
	}
}

func TestCapacityIsLearned(t *testing.T) {
	m := measurements{"latency": latency(trueCapacity), readyQuery: ready}
	f := learningFixture(t, m, learningForecast(tooHigh))
	f.learnFor(t, time.Hour)
	fc := f.get(t, "fc")
	used := fc.Status.CapacityPerReplica
	if used == nil || used.Source != plan.CapacityFromLearning {
		t.Fatalf("%+v, %+v, %+v", used, fc.Status.Capacity, f.condition(t, "fc", v1alpha1.ConditionCapacityKnown))
	}
	if c := used.Value.AsApproximateFloat64(); c < 0.85*trueCapacity || c > 1.05*trueCapacity {
		t.Errorf("a capacity of %v is learned, want %v", c, trueCapacity)
	}
	s := fc.Status.Capacity
	if s == nil || s.Value.Cmp(used.Value) != 0 || s.Steps < 100 || s.Since == nil || s.Until == nil {
		t.Errorf("status says %+v beside %s", s, &used.Value)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionCapacityKnown, metav1.ConditionTrue, "Learned")
	served, err := ServedSettings(fc)
	if err != nil || served.Learned == nil || served.Capacity != 12 {
		t.Errorf("the doors know %+v, %v", served, err)
	}
	if n := testutil.CollectAndCount(f.metrics.evidence); n < 5 {
		t.Errorf("%d series about the capacity, want 5 or more", n)
	}
	for _, at := range f.writes["fc"] {
		n := 0
		for _, other := range f.writes["fc"] {
			if d := other.Sub(at); d >= 0 && d < time.Hour {
				n++
			}
		}
		if n > f.rates.WritesPerHour {
			t.Errorf("%d writes in the hour from %s", n, at)
		}
	}
}

// After a restart what status has counts until the past is read again, also while the source does not
// answer, and also for an objective that was changed meanwhile.
func TestLearnedCapacityOutlivesARestart(t *testing.T) {
	m := measurements{"latency": latency(trueCapacity), readyQuery: ready}
	f := learningFixture(t, m, learningForecast(tooHigh))
	f.learnFor(t, time.Hour)
	before := f.get(t, "fc").Status.CapacityPerReplica
	f.changeLeader()
	m["latency"] = func(time.Time) (float64, error) { return 0, errUnreachable() }
	f.learnFor(t, 30*time.Minute)
	fc := f.get(t, "fc")
	if after := fc.Status.CapacityPerReplica; after == nil || after.Value.Cmp(before.Value) != 0 {
		t.Errorf("the capacity was %+v and is %+v without a source", before, after)
	}
	if s := fc.Status.Capacity; s == nil || s.Steps == 0 {
		t.Errorf("what was learned is lost: %+v", s)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionCapacityKnown, metav1.ConditionFalse, "Unreachable")
	m["latency"] = latency(trueCapacity)
	f.learnFor(t, 30*time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionCapacityKnown, metav1.ConditionTrue, "Learned")
}

// A figure that was learned of requests must not divide tokens: at another demand the configured
// capacity counts at once, also after a restart, and nothing of the old figure is told.
func TestAnotherDemandIsLearnedAnew(t *testing.T) {
	m := measurements{"latency": latency(trueCapacity), readyQuery: ready}
	f := learningFixture(t, m, learningForecast(tooHigh))
	f.learnFor(t, time.Hour)
	fc := f.get(t, "fc")
	if s := fc.Status.CapacityPerReplica; s == nil || s.Source != plan.CapacityFromLearning {
		t.Fatalf("nothing was learned: %+v", s)
	}
	fc.Spec.Demand.Prometheus.Query, fc.Generation = "sum(rate(tokens_total[5m]))", fc.Generation+1
	fc.Spec.Capacity.Default = new(resource.MustParse("7000"))
	if err := f.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	m["latency"] = func(time.Time) (float64, error) { return 0, errUnreachable() }
	for _, when := range []string{"at once", "after a restart"} {
		f.learnFor(t, 10*time.Minute)
		fc = f.get(t, "fc")
		if s := fc.Status.CapacityPerReplica; s == nil || s.Source != planner.CapacityFromSpec || s.Value.String() != "7k" {
			t.Errorf("%s: the capacity of another demand counts: %+v", when, s)
		}
		if s := fc.Status.Capacity; s == nil || s.Steps != 0 || s.Estimate != nil {
			t.Errorf("%s: status tells what was learned of another demand: %+v", when, s)
		}
		f.changeLeader()
	}
}

// Bad input leaves the default as it is, with a condition that says what to do.
func TestCapacityThatCannotBeLearned(t *testing.T) {
	failing := func(kind history.Kind) func(time.Time) (float64, error) {
		return func(time.Time) (float64, error) { return 0, &history.Error{Kind: kind, Message: "it says why"} }
	}
	constant := func(v float64) func(time.Time) (float64, error) {
		return func(time.Time) (float64, error) { return v, nil }
	}
	for name, tc := range map[string]struct {
		latency, ready func(time.Time) (float64, error)
		change         func(*v1alpha1.Forecast)
		reason, remedy string
		want           string // the capacity that counts; "5" where it is empty
	}{
		"several series": {latency: failing(history.ErrSeveralSeries), reason: "SeveralSeries", remedy: "aggregate"},
		"not PromQL":     {latency: failing(history.ErrBadQuery), reason: "BadQuery", remedy: "objective.query"},
		"no source":      {latency: failing(history.ErrSourceUnknown), reason: "SourceUnknown", remedy: "objective.query"},
		"no answer":      {latency: failing(history.ErrTimeout), reason: "Timeout", remedy: "objective.query"},
		"only NaN":       {latency: failing(history.ErrNotFinite), reason: "NotFinite", remedy: "objective.query"},
		"only gaps":      {latency: constant(math.NaN()), reason: "NoLatency", remedy: "objective.query"},
		"constant":       {latency: constant(0.1), reason: "ConstantLatency", remedy: "buckets"},
		"milliseconds": {
			latency: func(at time.Time) (float64, error) { v, err := latency(trueCapacity)(at); return 1000 * v, err },
			reason:  "ObjectiveNeverMet", remedy: "unit",
		},
		"no replicas":          {ready: failing(history.ErrNoSeries), reason: "NoReplicas", remedy: "kube-state-metrics"},
		"several of replicas":  {ready: failing(history.ErrSeveralSeries), reason: "SeveralSeries", remedy: "replicas.query"},
		"replicas in part":     {ready: failing(history.ErrPartial), reason: "Partial", remedy: "replicas.query"},
		"never near the limit": {latency: latency(80), reason: "NeverBusy", remedy: "nothing to do", want: "at least 5"},
		"nobody says": {
			change: func(fc *v1alpha1.Forecast) { fc.Spec.Capacity.Default, fc.Spec.Serve.Unit = nil, "" },
			reason: "NoDefault", remedy: "spec.capacity.default", want: "none",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := measurements{"latency": latency(trueCapacity), readyQuery: ready}
			if tc.latency != nil {
				m["latency"] = tc.latency
			}
			if tc.ready != nil {
				m[readyQuery] = tc.ready
			}
			f := learningFixture(t, m, learningForecast(tc.change))
			f.learnFor(t, 30*time.Minute)
			c := f.condition(t, "fc", v1alpha1.ConditionCapacityKnown)
			if c.Reason != tc.reason || !strings.Contains(c.Message, tc.remedy) || c.Status == metav1.ConditionTrue {
				t.Errorf("the condition is %s %s: %s, want %s with %q", c.Status, c.Reason, c.Message, tc.reason, tc.remedy)
			}
			fc := f.get(t, "fc")
			if fc.Status.Plan == nil {
				t.Errorf("there is no plan: %+v", f.condition(t, "fc", v1alpha1.ConditionServing))
			}
			used := 0.0
			if s := fc.Status.CapacityPerReplica; s != nil {
				used = s.Value.AsApproximateFloat64()
			}
			switch tc.want {
			case "none":
				if used != 0 || fc.Status.Capacity != nil {
					t.Errorf("a capacity of %v is used, and status has %+v", used, fc.Status.Capacity)
				}
			case "at least 5":
				if s := fc.Status.Capacity; used < 5 || s == nil || !s.AtLeast || s.Source != v1alpha1.CapacitySourceAtLeast {
					t.Errorf("a capacity of %v is used, and status has %+v", used, s)
				}
			default:
				if used != 5 {
					t.Errorf("a capacity of %v is used, want the default", used)
				}
			}
		})
	}
}

// A Forecast without spec.capacity asks for nothing, and has nothing of it in status.
func TestNothingIsLearnedUnasked(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.Forecast){
		"without": func(fc *v1alpha1.Forecast) {
			fc.Spec.Capacity, fc.Spec.CapacityPerReplica = nil, new(resource.MustParse("5"))
		},
		"Fixed":  func(fc *v1alpha1.Forecast) { fc.Spec.Capacity.Mode = v1alpha1.CapacityFixed },
		"Paused": func(fc *v1alpha1.Forecast) { fc.Spec.Mode = v1alpha1.ForecastPaused },
	} {
		t.Run(name, func(t *testing.T) {
			f := learningFixture(t, nil, learningForecast(change))
			f.openEvidence = func(string, string) (evidence.Source, error) {
				t.Error("something is read for a capacity")
				return measurements{}, nil
			}
			f.learnFor(t, 20*time.Minute)
			fc := f.get(t, "fc")
			if s := fc.Status.CapacityPerReplica; s == nil || s.Source != planner.CapacityFromSpec || s.Value.String() != "5" {
				t.Errorf("the capacity is %+v, want 5 of the spec", s)
			}
			if fc.Status.Capacity != nil || hasCondition(fc, v1alpha1.ConditionCapacityKnown) {
				t.Errorf("status has %+v and conditions %+v", fc.Status.Capacity, fc.Status.Conditions)
			}
			if s := f.states[named("fc")]; s.evidence != nil && fc.Spec.Mode != v1alpha1.ForecastPaused {
				t.Error("the Forecast takes memory for a capacity that it does not learn")
			}
		})
	}
}

// What was learned is dropped with its condition and metrics when the spec asks for it no more.
func TestLearningEnds(t *testing.T) {
	f := learningFixture(t, measurements{"latency": latency(trueCapacity), readyQuery: ready}, learningForecast(nil))
	f.learnFor(t, 30*time.Minute)
	fc := f.get(t, "fc")
	fc.Spec.Capacity.Mode, fc.Generation = v1alpha1.CapacityFixed, fc.Generation+1
	if err := f.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	f.learnFor(t, 10*time.Minute)
	fc = f.get(t, "fc")
	if s := fc.Status.CapacityPerReplica; s == nil || s.Source != planner.CapacityFromSpec || fc.Status.Capacity != nil ||
		hasCondition(fc, v1alpha1.ConditionCapacityKnown) || testutil.CollectAndCount(f.metrics.evidence) != 0 {
		t.Errorf("%+v, %+v and %+v are left", s, fc.Status.Capacity, fc.Status.Conditions)
	}
}

// A new image makes what was learned with the old one count no more, once it serves alone.
func TestANewImageIsLearnedAnew(t *testing.T) {
	m := measurements{"latency": latency(trueCapacity), readyQuery: ready}
	f := learningFixture(t, m, learningForecast(nil))
	add := func(name, image string) {
		t.Helper()
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(name), Labels: map[string]string{"app": "face-fusion"},
			CreationTimestamp: metav1.NewTime(f.clock.Now()),
		}}
		pod.Spec.Containers = []corev1.Container{{Name: "model", Image: image}}
		for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.PodReady} {
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
				Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(f.clock.Now()),
			})
		}
		if err := f.client.Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	add("old", "model:1")
	f.learnFor(t, 30*time.Minute)
	before := f.get(t, "fc").Status.Capacity
	if before.Release == "" || before.ReleasedAt != nil {
		t.Fatalf("the release is %q since %v; it was so from the beginning", before.Release, before.ReleasedAt)
	}
	add("new", "model:2")
	f.learnFor(t, 30*time.Minute)
	if s := f.get(t, "fc").Status.Capacity; s.Release != before.Release || s.Steps < before.Steps {
		t.Errorf("a rollout that has not ended counts already: %+v", s)
	}
	old := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "old"}}
	if err := f.client.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	f.learnFor(t, 30*time.Minute)
	s := f.get(t, "fc").Status.Capacity
	if s.Release == before.Release || s.ReleasedAt == nil || s.Steps > 30 {
		t.Errorf("after the release: %+v", s)
	}
	f.changeLeader()
	f.learnFor(t, 30*time.Minute)
	if again := f.get(t, "fc").Status.Capacity; again.Release != s.Release || again.Steps > 30 {
		t.Errorf("a new owner counts what was before the release: %+v", again)
	}
}

// Without a query that knows the past, the ready pods are counted from now on.
func TestReadyPodsAreCounted(t *testing.T) {
	f := learningFixture(t, measurements{"latency": latency(trueCapacity)}, learningForecast(nil))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "p", UID: "p", Labels: map[string]string{"app": "face-fusion"},
	}}
	pod.Spec.Containers = []corev1.Container{{Name: "model", Image: "model:1"}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	pod.Status.Conditions[0].LastTransitionTime = metav1.NewTime(epoch)
	if err := f.client.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	f.learnFor(t, 20*time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionCapacityKnown, metav1.ConditionUnknown, "FewSteps")
	if s := f.get(t, "fc").Status.Capacity; s.Steps != 0 {
		t.Logf("%+v", s)
	}
	f.learnFor(t, 3*time.Hour)
	if s := f.get(t, "fc").Status.Capacity; s == nil || s.Steps < 20 {
		t.Errorf("after hours of counted pods: %+v", s)
	}
}

func TestCapacityChangesAreWorthAWrite(t *testing.T) {
	status := func(source, value string) *v1alpha1.CapacityStatus {
		return &v1alpha1.CapacityStatus{Source: source, Value: resource.MustParse(value)}
	}
	learned, spec := plan.CapacityFromLearning, planner.CapacityFromSpec
	for name, tc := range map[string]struct {
		old, now *v1alpha1.CapacityStatus
		want     bool
	}{
		"nothing":          {nil, nil, false},
		"of the spec":      {status(spec, "5"), status(spec, "6"), false},
		"first learned":    {status(spec, "5"), status(learned, "6"), true},
		"learned again":    {status(learned, "5"), status(learned, "6"), true},
		"the same":         {status(learned, "6"), status(learned, "6.0"), false},
		"no longer":        {status(learned, "6"), status(spec, "5"), true},
		"learned, unknown": {nil, status(learned, "6"), true},
	} {
		if got := evidence.Changed(tc.old, tc.now); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
	if q := evidence.QuantityOf(0.00123456); fmt.Sprint(q.AsApproximateFloat64()) != "0.00123456" {
		t.Errorf("a small capacity becomes %s", q.String())
	}
}
