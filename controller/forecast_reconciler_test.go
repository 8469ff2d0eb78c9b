package controller

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

// trace is a reader over a function of time.
type trace struct {
	clock  *clocktesting.FakePassiveClock
	set    planner.Settings
	demand func(time.Time) float64
	err    error
}

func (r *trace) Read(context.Context) (history.Series, int, error) {
	if r.err != nil {
		return history.Series{}, 0, r.err
	}
	end := history.FloorTo(r.clock.Now().Add(-r.set.Settle), r.set.Step)
	start := end.Add(-r.set.ReadSpan())
	s := history.Series{Start: start, Step: r.set.Step}
	for at := start; at.Before(end); at = at.Add(r.set.Step) {
		s.Values = append(s.Values, r.demand(at))
	}
	return s, 1, nil
}

// house is a reconciler over a fake API server, a clock that is moved by hand, and a trace.
type house struct {
	*ForecastReconciler
	clock  *clocktesting.FakePassiveClock
	events *events.FakeRecorder
	writes map[string][]time.Time
}

func newHouse(t *testing.T, readers map[string]*trace, objects ...client.Object) *house {
	t.Helper()
	h := &house{clock: clocktesting.NewFakePassiveClock(epoch), events: events.NewFakeRecorder(1000), writes: map[string][]time.Time{}}
	c := fake.NewClientBuilder().WithScheme(NewScheme()).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Forecast{}).
		WithIndex(&autoscalingv2.HorizontalPodAutoscaler{}, hpaIndex, indexHPA).
		WithIndex(&v1alpha1.Forecast{}, targetIndex, indexTarget).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourceGet: fakeScale,
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				h.writes[obj.GetName()] = append(h.writes[obj.GetName()], h.clock.Now())
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	h.ForecastReconciler = &ForecastReconciler{
		client: c, compiler: NewCompiler(c), recorder: h.events, rates: DefaultRates(), clock: passive{h.clock}, logger: slog.New(slog.DiscardHandler),
		metrics: newReconcilerMetrics(prometheus.NewRegistry()), fetch: newFetcher(), states: map[types.NamespacedName]*forecastState{},
		open: func(_ string, set planner.Settings) (seriesReader, error) {
			r, ok := readers[set.Query]
			if !ok {
				return nil, &history.Error{Kind: history.ErrSourceUnknown, Message: "no such source: name one of the file's"}
			}
			r.clock, r.set = h.clock, set
			return r, nil
		},
	}
	h.demand = demandStub{last: func() values.LastPoll { return values.LastPoll{SucceededAt: h.clock.Now()} }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.fetch.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

// fakeScale gives every Deployment that exists the selector app=NAME.
func fakeScale(ctx context.Context, c client.Client, _ string, obj, scale client.Object, _ ...client.SubResourceGetOption) error {
	var d appsv1.Deployment
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), &d); err != nil {
		return err
	}
	return setNested(scale, "app="+obj.GetName(), "status", "selector")
}

// step moves the clock and reconciles until the read of this step is in.
func (h *house) step(t *testing.T, name string, d time.Duration) {
	t.Helper()
	h.clock.SetTime(h.clock.Now().Add(d))
	key := types.NamespacedName{Namespace: "shop", Name: name}
	for range 2 {
		if _, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatalf("reconcile %s: %v", key, err)
		}
		if !h.fetch.busy(key) {
			select {
			case <-h.fetch.done:
				continue // the read ended at once
			default:
				return
			}
		}
		<-h.fetch.done
	}
}

func (h *house) get(t *testing.T, name string) *v1alpha1.Forecast {
	t.Helper()
	var fc v1alpha1.Forecast
	if err := h.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: name}, &fc); err != nil {
		t.Fatal(err)
	}
	return &fc
}

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "face-fusion"}}
}

// daily has a day's shape; noise is a share of the level.
func daily(noise float64) func(time.Time) float64 {
	return func(at time.Time) float64 {
		r := rand.New(rand.NewPCG(uint64(at.Unix()), 1))
		day := float64(at.Unix()%86400) / 86400
		return (100 - 80*math.Cos(2*math.Pi*day)) * (1 + noise*r.NormFloat64())
	}
}

func shortForecast(name, query string) *v1alpha1.Forecast {
	fc := faceFusion()
	fc.Name, fc.UID = name, types.UID(name)
	fc.Spec.Demand.Prometheus.Query, fc.Spec.Demand.History = query, "4d"
	return fc
}

func TestWritesStayWithinTheHour(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.6)}}, shortForecast("noisy", "q"), deployment())
	for range 4 * 60 {
		h.step(t, "noisy", time.Minute)
	}
	times := h.writes["noisy"]
	if len(times) < 12 {
		t.Fatalf("%d writes in four hours: the plan is not kept fresh", len(times))
	}
	for i, first := range times {
		n := 0
		for _, at := range times[i:] {
			if at.Sub(first) < time.Hour {
				n++
			}
		}
		if n > 12 {
			t.Fatalf("%d writes in the hour from %s, want 12 at most", n, first)
		}
	}
	t.Logf("%d writes in four hours of a trace with 60 %% noise", len(times))
}

func TestPlanIsPublishedAndSmall(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, shortForecast("calm", "q"), deployment(), new(hpaReading("calm", "calm", nil)))
	h.step(t, "calm", time.Minute)
	fc := h.get(t, "calm")
	for kind, want := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionReady: "True", v1alpha1.ConditionHistoryReady: "True", v1alpha1.ConditionServing: "True",
		v1alpha1.ConditionSkilled: "True", v1alpha1.ConditionHPALinted: "True", v1alpha1.ConditionLeadTimeLearned: "False",
	} {
		if c := meta.FindStatusCondition(fc.Status.Conditions, kind); c == nil || c.Status != want || c.Message == "" {
			t.Errorf("condition %s = %+v, want %s with a message", kind, c, want)
		}
	}
	if fc.Status.Plan == nil {
		t.Fatal("no plan is published")
	}
	size := 0
	for _, s := range fc.Status.Plan.Segments {
		size += len(s.Values) + len(s.Step)
	}
	if size > 4096 {
		t.Errorf("the plan of a day takes %d bytes, want less than 4 KiB", size)
	}
	if c := fc.Status.CapacityPerReplica; c == nil || c.Value.String() != "5" || c.Name != "calm" {
		t.Errorf("capacity = %+v, want 5 from the HPA", c)
	}
	if l := fc.Status.LeadTime; l == nil || l.Source != v1alpha1.LeadSourceDefault || l.Starts != 0 {
		t.Errorf("lead = %+v, want the default of no starts", l)
	}
	if len(h.events.Events) == 0 {
		t.Error("no event told of the conditions")
	}
}

func TestReadErrorsBecomeConditions(t *testing.T) {
	several := &history.Error{Kind: history.ErrSeveralSeries, Message: "the query gives 10 series: aggregate with sum()"}
	readers := map[string]*trace{"bad": {err: several}, "good": {demand: daily(0.05)}}
	h := newHouse(t, readers, shortForecast("bad", "bad"), shortForecast("good", "good"), shortForecast("lost", "nosource"), deployment())
	for range 3 {
		h.step(t, "bad", time.Second)
		h.step(t, "lost", time.Second)
		h.step(t, "good", time.Minute)
	}
	for name, reason := range map[string]string{"bad": "SeveralSeries", "lost": "SourceUnknown"} {
		fc := h.get(t, name)
		for _, kind := range []string{v1alpha1.ConditionHistoryReady, v1alpha1.ConditionReady} {
			if c := meta.FindStatusCondition(fc.Status.Conditions, kind); c == nil || c.Status != "False" || c.Reason != reason {
				t.Errorf("%s: condition %s = %+v, want False with reason %s", name, kind, c, reason)
			}
		}
	}
	if !meta.IsStatusConditionTrue(h.get(t, "good").Status.Conditions, v1alpha1.ConditionReady) {
		t.Error("the bad Forecasts harmed the good one")
	}
}

func TestOutageKeepsThePlan(t *testing.T) {
	q := &trace{demand: daily(0.05)}
	h := newHouse(t, map[string]*trace{"q": q}, shortForecast("fc", "q"), deployment())
	h.step(t, "fc", time.Minute)
	before := h.get(t, "fc").Status.Plan
	q.err = &history.Error{Kind: history.ErrUnreachable, Message: "no connection"}
	for range 30 {
		h.step(t, "fc", time.Minute)
	}
	fc := h.get(t, "fc")
	if fc.Status.Plan == nil || !fc.Status.Plan.End.Equal(&before.End) {
		t.Fatalf("the outage changed the plan: %+v", fc.Status.Plan)
	}
	if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionHistoryReady); c == nil || c.Reason != "Unreachable" {
		t.Errorf("HistoryReady = %+v, want Unreachable", c)
	}
	if !meta.IsStatusConditionTrue(fc.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("the plan is served through the outage, so the Forecast should stay ready: %+v", fc.Status.Conditions)
	}
}

func TestMissingTargetIsSaid(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, shortForecast("fc", "q"))
	h.step(t, "fc", time.Minute)
	c := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != "False" || c.Reason != reasonTargetNotFound {
		t.Errorf("Ready = %+v, want False with %s", c, reasonTargetNotFound)
	}
}

func TestInvalidSpecKeepsThePlan(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, shortForecast("fc", "q"), deployment())
	h.step(t, "fc", time.Minute)
	fc := h.get(t, "fc")
	fc.Spec.Seasonality.TimeZone, fc.Generation = "Mars/Olympus", 2
	if err := h.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	h.step(t, "fc", time.Minute)
	fc = h.get(t, "fc")
	if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Reason != "InvalidSpec" {
		t.Errorf("Ready = %+v, want InvalidSpec", c)
	}
	if fc.Status.Plan == nil {
		t.Error("a slip in the spec threw the plan away")
	}
}

func TestFailedWriteIsAnError(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, shortForecast("fc", "q"), deployment())
	broken := errors.New("etcd is away")
	h.client = interceptor.NewClient(h.client.(client.WithWatch), interceptor.Funcs{
		SubResourceGet: fakeScale,
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return broken
		},
	})
	key := types.NamespacedName{Namespace: "shop", Name: "fc"}
	if _, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
		t.Fatal(err)
	}
	<-h.fetch.done
	if _, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); !errors.Is(err, broken) {
		t.Errorf("error = %v, want the write's", err)
	}
}
