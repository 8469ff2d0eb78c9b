package controller

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
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
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/controller/autoscalers"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/controller/schedules"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // A Monday.

// fakeHistory is a reader of a series that a function of time gives.
type fakeHistory struct {
	clock  *clocktesting.FakePassiveClock
	set    planner.Settings
	demand func(time.Time) float64
	err    error
	notes  history.Notes
}

func (r *fakeHistory) Notes() history.Notes { return r.notes }

func (r *fakeHistory) Read(context.Context) (history.Series, int, error) {
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

// hangingReader is a reader that does not answer until its context ends.
type hangingReader struct{}

func (hangingReader) Notes() history.Notes { return history.Notes{} }

func (hangingReader) Read(ctx context.Context) (history.Series, int, error) {
	<-ctx.Done()
	return history.Series{}, 0, ctx.Err()
}

func errUnreachable() error {
	return &history.Error{Kind: history.ErrUnreachable, Message: "no connection"}
}

// dailyHistory has one query, q, with a daily cycle. noise is relative to the level.
func dailyHistory(noise float64) map[string]*fakeHistory {
	return map[string]*fakeHistory{"q": {demand: daily(noise)}}
}

// daily is demand with a daily cycle. noise is relative to the level.
func daily(noise float64) func(time.Time) float64 {
	return func(at time.Time) float64 {
		r := rand.New(rand.NewPCG(uint64(at.Unix()), 1))
		day := float64(at.Unix()%86400) / 86400
		return (100 - 80*math.Cos(2*math.Pi*day)) * (1 + noise*r.NormFloat64())
	}
}

// fixture is a ForecastReconciler with a fake API server and a fake clock.
type fixture struct {
	*ForecastReconciler
	clock  *clocktesting.FakePassiveClock
	events *events.FakeRecorder
	writes map[string][]time.Time // Status writes, by name of the Forecast.
}

// newFixture returns a fixture that reads histories by their query.
func newFixture(t testing.TB, histories map[string]*fakeHistory, objects ...client.Object) *fixture {
	t.Helper()
	f := &fixture{
		clock: clocktesting.NewFakePassiveClock(epoch), events: events.NewFakeRecorder(1000),
		writes: map[string][]time.Time{},
	}
	c := fake.NewClientBuilder().WithScheme(NewScheme()).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Forecast{}).
		WithIndex(&autoscalingv2.HorizontalPodAutoscaler{}, autoscalers.HPAIndex, autoscalers.IndexHPA).
		WithIndex(&v1alpha1.Forecast{}, targetIndex, indexTarget).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourceGet: fakeScale,
			SubResourcePatch: func(
				ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch,
				opts ...client.SubResourcePatchOption,
			) error {
				f.writes[obj.GetName()] = append(f.writes[obj.GetName()], f.clock.Now())
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	f.ForecastReconciler = &ForecastReconciler{
		client: c, compiler: schedules.NewCompiler(c),
		autoscalers: autoscalers.Reader{HPAs: c}, recorder: f.events, rates: DefaultRates(), clock: passive{f.clock},
		logger: slog.New(slog.DiscardHandler), metrics: newReconcilerMetrics(prometheus.NewRegistry()),
		fetch: reads.New(), states: map[types.NamespacedName]*forecastState{},
		open: func(_ string, set planner.Settings) (reads.SeriesReader, error) {
			r, ok := histories[set.Query]
			if !ok {
				return nil, &history.Error{Kind: history.ErrSourceUnknown, Message: "no such source"}
			}
			r.clock, r.set = f.clock, set
			return r, nil
		},
	}
	f.demand = demandStub{last: func() values.LastPoll { return values.LastPoll{SucceededAt: f.clock.Now()} }}
	f.overflows = clusters.None()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.fetch.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// countScaleReads counts the reads of scale subresources from now on.
func (f *fixture) countScaleReads() *atomic.Int64 {
	var n atomic.Int64
	f.client = interceptor.NewClient(f.client.(client.WithWatch), interceptor.Funcs{
		SubResourceGet: func(
			ctx context.Context, c client.Client, sub string, obj, scale client.Object,
			opts ...client.SubResourceGetOption,
		) error {
			n.Add(1)
			return c.SubResource(sub).Get(ctx, obj, scale, opts...)
		},
	})
	return &n
}

// fakeScale gives every Deployment that exists the selector app=NAME.
func fakeScale(
	ctx context.Context, c client.Client, _ string, obj, scale client.Object, _ ...client.SubResourceGetOption,
) error {
	var d appsv1.Deployment
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), &d); err != nil {
		return err
	}
	return setNested(scale, "app="+obj.GetName(), "status", "selector")
}

// step advances the clock and reconciles until the read of this step has ended.
func (f *fixture) step(t *testing.T, name string, d time.Duration) {
	t.Helper()
	f.clock.SetTime(f.clock.Now().Add(d))
	for range 2 {
		f.reconcile(t, name)
		if !f.fetch.Busy(reads.Key{Forecast: named(name), Part: reads.Demand}) {
			select {
			case <-f.fetch.Done():
				continue // The read has ended already.
			default:
				return
			}
		}
		<-f.fetch.Done()
	}
}

// reconcile reconciles a Forecast once.
func (f *fixture) reconcile(t *testing.T, name string) ctrl.Result {
	t.Helper()
	got, err := f.Reconcile(t.Context(), ctrl.Request{NamespacedName: named(name)})
	if err != nil {
		t.Fatalf("reconcile %s: %v", name, err)
	}
	return got
}

// reconcileFor reconciles whenever it is due, until d has passed. It returns how often that was.
func (f *fixture) reconcileFor(t *testing.T, name string, d time.Duration) (times int) {
	t.Helper()
	for end := f.clock.Now().Add(d); f.clock.Now().Before(end); times++ {
		got := f.reconcile(t, name)
		if got.RequeueAfter <= 0 {
			t.Fatal("the Forecast is not requeued while its history is read")
		}
		f.clock.SetTime(f.clock.Now().Add(got.RequeueAfter))
	}
	return times
}

// changeLeader drops what the leader has in memory.
func (f *fixture) changeLeader() { f.states = map[types.NamespacedName]*forecastState{} }

// hangReads changes the leader. Its reads of history do not answer.
func (f *fixture) hangReads() {
	f.changeLeader()
	f.open = func(string, planner.Settings) (reads.SeriesReader, error) { return hangingReader{}, nil }
}

func (f *fixture) get(t testing.TB, name string) *v1alpha1.Forecast {
	t.Helper()
	var fc v1alpha1.Forecast
	if err := f.client.Get(t.Context(), named(name), &fc); err != nil {
		t.Fatal(err)
	}
	return &fc
}

// condition returns a condition of a Forecast; the zero value where it has none.
func (f *fixture) condition(t *testing.T, name, kind string) metav1.Condition {
	t.Helper()
	if c := meta.FindStatusCondition(f.get(t, name).Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// wantCondition checks status and reason of a condition.
func (f *fixture) wantCondition(t *testing.T, name, kind string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	if c := f.condition(t, name, kind); c.Status != status || c.Reason != reason {
		t.Errorf("%s: condition %s = %+v, want %s with %s", name, kind, c, status, reason)
	}
}

// wantReady checks that a Forecast is Ready.
func (f *fixture) wantReady(t *testing.T, name string) {
	t.Helper()
	if c := f.condition(t, name, v1alpha1.ConditionReady); c.Status != metav1.ConditionTrue {
		t.Errorf("%s is not Ready: %+v", name, f.get(t, name).Status.Conditions)
	}
}

// published returns the plan that the leader takes for the published one.
func (f *fixture) published(name string) *plan.Plan {
	s := f.states[named(name)]
	s.decode()
	return s.step.Published
}

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "face-fusion"}}
}

func goodSpec() v1alpha1.ForecastSpec {
	return v1alpha1.ForecastSpec{
		Demand: &v1alpha1.DemandSource{
			Prometheus: v1alpha1.PrometheusQuery{Query: "sum(rate(requests_total[1m]))"},
		},
		TargetRef:    v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "face-fusion"},
		ProvisionFor: v1alpha1.ProvisionFor{ServiceLevel: new(v1alpha1.Decimal("0.99"))},
	}
}

func faceFusion() *v1alpha1.Forecast {
	return &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "face-fusion", UID: "u1", Generation: 1},
		Spec:       goodSpec(),
	}
}

// shortForecast is a Forecast with four days of history.
func shortForecast(name, query string) *v1alpha1.Forecast {
	fc := faceFusion()
	fc.Name, fc.UID = name, types.UID(name)
	fc.Spec.Demand.Prometheus.Query, fc.Spec.Demand.History = query, "4d"
	return fc
}

// fiveMinuteForecast is a Forecast with steps of five minutes, so that days pass quickly.
func fiveMinuteForecast() *v1alpha1.Forecast {
	fc := shortForecast("fc", "q")
	fc.Spec.Demand.Resolution = "5m"
	fc.Spec.Demand.History = "8d"
	return fc
}

// noonPeak is a PeakSchedule of namespace shop that declares at least 500 from 12:00 to 14:00.
func noonPeak(forecast string) *v1alpha1.PeakSchedule {
	ps := &v1alpha1.PeakSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "noon", UID: "noon"}}
	ps.Spec.TimeZone = "UTC"
	ps.Spec.ForecastRefs = []v1alpha1.ForecastReference{{Name: forecast}}
	ps.Spec.Windows = []v1alpha1.PeakWindow{
		{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: atLeast("500")},
	}
	return ps
}

func atLeast(text string) v1alpha1.PeakDemand {
	q := resource.MustParse(text)
	return v1alpha1.PeakDemand{AtLeast: &q}
}
