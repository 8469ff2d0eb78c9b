package controller

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
)

// office is a desk with its queue: a schedule is looked at when it is due, and not else. It has the Forecasts in a cache of its own, and
// notes when status was written.
type office struct {
	*desk
	forecasts map[string]*v1alpha1.Forecast
	book      *book
	due       time.Time
	writes    []time.Duration // after the epoch
}

func newOffice(ps *v1alpha1.PeakSchedule, names ...string) *office {
	o := &office{desk: newDesk(ps), forecasts: map[string]*v1alpha1.Forecast{}, book: &book{queued: map[string]time.Duration{}}, due: epoch}
	for _, name := range names {
		o.forecasts[name] = forecastNamed(name, nil)
	}
	o.client = interceptor.NewClient(o.client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			into, ok := list.(*v1alpha1.ForecastList)
			if !ok {
				return c.List(ctx, list, opts...)
			}
			for _, fc := range o.forecasts {
				into.Items = append(into.Items, *fc.DeepCopy())
			}
			return nil
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			o.writes = append(o.writes, o.clock.Now().Sub(epoch))
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	})
	return o
}

// publish gives a Forecast another plan of one value, which the schedule hears of.
func (o *office) publish(t *testing.T, name string, value float64) {
	t.Helper()
	before, after := o.forecasts[name], forecastNamed(name, flat(o.clock.Now(), value))
	o.forecasts[name] = after
	clear(o.book.queued)
	o.planChanged(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, o.book)
	wait, heard := o.book.queued["peak"]
	if !heard {
		t.Fatal("the schedule does not hear of a plan")
	}
	if at := o.clock.Now().Add(wait); at.Before(o.due) {
		o.due = at
	}
}

// second does what is due, and lets a second pass.
func (o *office) second(t *testing.T) {
	t.Helper()
	if now := o.clock.Now(); !now.Before(o.due) {
		result, err := o.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "ai", Name: "peak"}})
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter <= 0 {
			t.Fatal("the schedule is not looked at again: what was not written is lost")
		}
		o.due = now.Add(result.RequeueAfter)
	}
	o.clock.SetTime(o.clock.Now().Add(time.Second))
}

// demands is what the status shows, by Forecast.
func (o *office) demands(t *testing.T) map[string]string {
	t.Helper()
	var ps v1alpha1.PeakSchedule
	if err := o.client.Get(t.Context(), types.NamespacedName{Namespace: "ai", Name: "peak"}, &ps); err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, f := range ps.Status.Forecasts {
		shown[f.Name] = "nothing"
		if f.Demand != nil {
			shown[f.Name] = f.Demand.String()
		}
	}
	return shown
}

// fleet is a schedule that lifts as many Forecasts, without plans yet.
func fleet(size int) (*office, []string) {
	ps := peakSchedule(v1alpha1.PeakWindow{Name: "on", Start: "2026-03-02T07:30", Duration: "1h", Demand: atLeast("15")})
	ps.Spec.ForecastRefs = nil
	var names []string
	for i := range size {
		names = append(names, fmt.Sprintf("model-%02d", i))
		ps.Spec.ForecastRefs = append(ps.Spec.ForecastRefs, v1alpha1.ForecastReference{Name: names[i]})
	}
	return newOffice(ps, names...), names
}

// The plans of a fleet change all the time, one Forecast's or another's. Their schedule's status is written the less often the longer ago
// somebody changed the schedule, and in the end shows what there is.
func TestManyForecastsMakeFewWrites(t *testing.T) {
	o, names := fleet(50)
	for second := range 120 {
		for i, name := range names {
			o.publish(t, name, float64(20+(second*7+i)%50*10)) // more than a twentieth from one to the next
		}
		o.second(t)
	}
	var want []time.Duration
	for _, after := range []int{0, 3, 6, 12, 24, 48, 78, 108} {
		want = append(want, time.Duration(after)*time.Second)
	}
	if diff := cmp.Diff(want, o.writes); diff != "" {
		t.Errorf("status was written at: -want, +got\n%s", diff)
	}
	last := map[string]string{}
	for i, name := range names {
		last[name] = fmt.Sprint(100 + i)
		o.publish(t, name, float64(100+i))
	}
	for range 20 {
		o.second(t)
	}
	if diff := cmp.Diff(last, o.demands(t)); diff != "" {
		t.Errorf("half a minute after the last write the status shows: -want, +got\n%s", diff)
	}
	if n := len(o.writes); n != len(want)+1 {
		t.Errorf("%d writes, want one for all the last plans together", n-len(want))
	}

	// A new spec is answered at once, and so are the plans that have it.
	var ps v1alpha1.PeakSchedule
	ps.Namespace, ps.Name = "ai", "peak"
	o.publish(t, names[0], 300)
	o.change(t, &ps, func() { ps.Spec.Windows[0].Demand = atLeast("400") })
	o.due = o.clock.Now()
	began := len(o.writes)
	at := o.clock.Now().Sub(epoch)
	o.second(t)
	o.publish(t, names[0], 400)
	for range 5 {
		o.second(t)
	}
	if diff := cmp.Diff([]time.Duration{at, at + 3*time.Second}, o.writes[began:]); diff != "" {
		t.Errorf("after a new spec status was written at: -want, +got\n%s", diff)
	}
	if got := o.demands(t)[names[0]]; got != "400" {
		t.Errorf("the status shows %s, want 400", got)
	}
}

// What changes after a quiet time is written as soon as the plans that change together are there.
func TestOnePlanIsShownPromptly(t *testing.T) {
	o, names := fleet(3)
	for _, name := range names {
		o.publish(t, name, 100)
	}
	for range 200 {
		o.second(t)
	}
	began := len(o.writes)
	at := o.clock.Now().Sub(epoch)
	for _, name := range names {
		o.publish(t, name, 200)
	}
	for range 60 {
		o.second(t)
	}
	if diff := cmp.Diff([]time.Duration{at + planGathers}, o.writes[began:]); diff != "" {
		t.Errorf("status was written at: -want, +got\n%s", diff)
	}
}

// A new process does not know when the old one wrote: it writes what has changed, and pauses then, for the spec was answered long ago.
func TestNewLeaderPausesToo(t *testing.T) {
	o, names := fleet(2)
	o.publish(t, names[0], 100)
	for range 100 {
		o.second(t)
	}
	o.PeakScheduleReconciler.writes = scheduleWrites{}
	began, at := len(o.writes), o.clock.Now().Sub(epoch)
	for second := range 70 {
		o.publish(t, names[0], float64(second*second))
		o.second(t)
	}
	want := []time.Duration{at + planGathers, at + planGathers + leastSleep, at + planGathers + 2*leastSleep}
	if diff := cmp.Diff(want, o.writes[began:]); diff != "" {
		t.Errorf("status was written at: -want, +got\n%s", diff)
	}
}

// TestFranticScheduleIsLeftAlone bounds the writes of a schedule that changes all the time, woken by nobody or every second.
func TestFranticScheduleIsLeftAlone(t *testing.T) {
	for name, woken := range map[string]bool{"Alone": false, "WokenEverySecond": true} {
		t.Run(name, func(t *testing.T) {
			var windows []v1alpha1.PeakWindow
			for i := range 59 {
				windows = append(windows, v1alpha1.PeakWindow{Name: fmt.Sprint("w", i), Schedule: "* * * * *", Duration: v1alpha1.Duration(fmt.Sprintf("%ds", i+1)), Demand: atLeast("1")})
			}
			o := newOffice(peakSchedule(windows...), "lifted")
			for second := range 600 {
				if woken {
					o.publish(t, "lifted", float64(second))
				}
				o.second(t)
			}
			if len(o.writes) < 15 {
				t.Errorf("%d writes in ten minutes: the status is not kept", len(o.writes))
			}
			for i, at := range o.writes {
				if at > time.Minute && at-o.writes[i-1] < leastSleep {
					t.Errorf("written at %s and at %s", o.writes[i-1], at)
				}
			}
		})
	}
}
