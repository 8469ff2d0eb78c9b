package schedules

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// scheduleFixture is a PeakScheduleReconciler with a fake API server and a fake clock.
type scheduleFixture struct {
	*PeakScheduleReconciler
	clock *clocktesting.FakePassiveClock
}

func newScheduleFixture(objects ...client.Object) *scheduleFixture {
	f := &scheduleFixture{clock: clocktesting.NewFakePassiveClock(epoch)}
	c := fake.NewClientBuilder().WithScheme(scheme()).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.PeakSchedule{}, &v1alpha1.Calendar{}).Build()
	f.PeakScheduleReconciler = &PeakScheduleReconciler{
		Options: Options{
			Client: c, Compiler: NewCompiler(c), Recorder: events.NewFakeRecorder(1000), Clock: f.clock,
		},
	}
	return f
}

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // A Monday.

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(s))
	return s
}

func peakKey() types.NamespacedName { return types.NamespacedName{Namespace: "ai", Name: "peak"} }

// reconcile reconciles the PeakSchedule ai/peak. It returns its status, and after how long it is
// requeued.
func (f *scheduleFixture) reconcile(t *testing.T) (v1alpha1.PeakScheduleStatus, time.Duration) {
	t.Helper()
	result, err := f.Reconcile(t.Context(), ctrl.Request{NamespacedName: peakKey()})
	if err != nil {
		t.Fatal(err)
	}
	var ps v1alpha1.PeakSchedule
	if err := f.Client.Get(t.Context(), peakKey(), &ps); err != nil {
		t.Fatal(err)
	}
	return ps.Status, result.RequeueAfter
}

// change changes the spec of an object.
func (f *scheduleFixture) change(t *testing.T, obj client.Object, change func()) {
	t.Helper()
	if err := f.Client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	change()
	obj.SetGeneration(obj.GetGeneration() + 1)
	if err := f.Client.Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

// publish gives a Forecast a plan as its reconciler would. It returns which PeakSchedules are
// enqueued, and after how long.
func (f *scheduleFixture) publish(t *testing.T, name string, plan *plan.Plan) map[string]time.Duration {
	t.Helper()
	var fc v1alpha1.Forecast
	if err := f.Client.Get(t.Context(), types.NamespacedName{Namespace: "ai", Name: name}, &fc); err != nil {
		t.Fatal(err)
	}
	before, encoded := fc.DeepCopy(), plan.Encode()
	fc.Status.Plan = &encoded
	if err := f.Client.Update(t.Context(), &fc); err != nil {
		t.Fatal(err)
	}
	q := &delayQueue{delays: map[string]time.Duration{}}
	f.planChanged(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: &fc}, q)
	return q.delays
}

// delayQueue records what is enqueued, and after how long. Of two delays the shorter one counts, as
// in the real queue.
type delayQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	delays map[string]time.Duration
}

func (q *delayQueue) AddAfter(req reconcile.Request, d time.Duration) {
	if earlier, ok := q.delays[req.Name]; ok {
		d = min(d, earlier)
	}
	q.delays[req.Name] = d
}

func readyOf(status v1alpha1.PeakScheduleStatus) metav1.Condition {
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// peakSchedule is the PeakSchedule ai/peak, for the Forecast "affected".
func peakSchedule(windows ...v1alpha1.PeakWindow) *v1alpha1.PeakSchedule {
	return &v1alpha1.PeakSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ai", Name: "peak", Generation: 1, UID: "peak"},
		Spec: v1alpha1.PeakScheduleSpec{
			TimeZone: "Asia/Shanghai", State: v1alpha1.PeakScheduleActive, Windows: windows,
			ForecastRefs: []v1alpha1.ForecastReference{{Name: "affected"}},
		},
	}
}

// noonWindow is from 12:00 to 14:00, every day.
func noonWindow() v1alpha1.PeakWindow {
	return v1alpha1.PeakWindow{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: atLeast("1200")}
}

// activeWindow is active at the epoch: it began half an hour before, in Asia/Shanghai, and takes an
// hour.
func activeWindow(demand string) v1alpha1.PeakWindow {
	return v1alpha1.PeakWindow{Name: "on", Start: "2026-03-02T07:30", Duration: "1h", Demand: atLeast(demand)}
}

func atLeast(text string) v1alpha1.PeakDemand {
	q := resource.MustParse(text)
	return v1alpha1.PeakDemand{AtLeast: &q}
}

// forecastNamed is a Forecast in namespace ai. plan can be nil.
func forecastNamed(name string, plan *plan.Plan) *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ai", Name: name, Labels: map[string]string{"app": name}},
	}
	if plan != nil {
		encoded := plan.Encode()
		fc.Status.Plan = &encoded
	}
	return fc
}

// flatPlan is a plan of one value for an hour from the epoch on.
func flatPlan(computedAt time.Time, value float64) *plan.Plan {
	values := make([]float64, 60)
	for i := range values {
		values[i] = value
	}
	return &plan.Plan{
		ComputedAt: computedAt, Start: epoch, Segments: []plan.Segment{{Step: time.Minute, Values: values}},
	}
}

func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
