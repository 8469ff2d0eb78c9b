package controller

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// book notes what is queued, and for when: as the queue does it, the earlier of two instants counts.
type book struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	queued map[string]time.Duration
}

func (b *book) AddAfter(req reconcile.Request, d time.Duration) {
	if was, ok := b.queued[req.Name]; ok {
		d = min(d, was)
	}
	b.queued[req.Name] = d
}

// flat is a plan of one value for an hour from the epoch on, made at an instant.
func flat(made time.Time, value float64) *plan.Plan {
	values := make([]float64, 60)
	for i := range values {
		values[i] = value
	}
	return &plan.Plan{ComputedAt: made, Start: epoch, Segments: []plan.Segment{{Step: time.Minute, Values: values}}}
}

// publish gives the Forecast a plan as its reconciler would, and returns which schedules hear of it, and when.
func (d *desk) publish(t *testing.T, name string, plan *plan.Plan) map[string]time.Duration {
	t.Helper()
	var fc v1alpha1.Forecast
	if err := d.client.Get(t.Context(), types.NamespacedName{Namespace: "ai", Name: name}, &fc); err != nil {
		t.Fatal(err)
	}
	before, encoded := fc.DeepCopy(), plan.Encode()
	fc.Status.Plan = &encoded
	if err := d.client.Update(t.Context(), &fc); err != nil {
		t.Fatal(err)
	}
	b := &book{queued: map[string]time.Duration{}}
	d.planChanged(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: &fc}, b)
	return b.queued
}

// A Forecast that is new gets a plan before its schedule is seen, and another one with the schedule in it. The schedule must hear of the
// second plan too, or its status says for minutes that nothing is provided for.
func TestScheduleHearsOfThePlanThatHasIt(t *testing.T) {
	on := v1alpha1.PeakWindow{Name: "on", Start: "2026-03-02T07:30", Duration: "1h", Demand: atLeast("15")} // an hour from half an hour before the epoch on
	other := peakSchedule(on)
	other.Name, other.UID, other.Spec.ForecastRefs = "others", "others", []v1alpha1.ForecastReference{{Name: "other"}}
	d := newDesk(peakSchedule(on), other, forecastNamed("lifted", nil), forecastNamed("other", nil))
	shown := func() string {
		d.clock.SetTime(d.clock.Now().Add(planGathers))
		status, _ := d.look(t)
		if len(status.Forecasts) != 1 || status.Forecasts[0].Demand == nil {
			return "nothing"
		}
		return status.Forecasts[0].Demand.String()
	}
	want := map[string]time.Duration{"peak": planGathers}
	var got []string
	got = append(got, shown())
	for i, value := range []float64{0, 15} {
		if diff := cmp.Diff(want, d.publish(t, "lifted", flat(epoch.Add(time.Duration(i)*time.Second), value))); diff != "" {
			t.Errorf("schedules that hear of plan %d: -want, +got\n%s", i, diff)
		}
		got = append(got, shown())
	}
	if diff := cmp.Diff([]string{"nothing", "0", "15"}, got); diff != "" {
		t.Errorf("the status shows: -want, +got\n%s", diff)
	}
	if heard := d.publish(t, "lifted", flat(epoch.Add(time.Second), 15)); len(heard) > 0 {
		t.Errorf("%v hear of a plan that is the same", maps.Collect(maps.All(heard)))
	}
}

// Plans are made anew all the time. A schedule's status is written when they say something else, and else as often as its figures age.
func TestFiguresThatHardlyMoveAreNotWritten(t *testing.T) {
	on := v1alpha1.PeakWindow{Name: "on", Start: "2026-03-02T07:30", Duration: "1h", Demand: atLeast("15")}
	d := newDesk(peakSchedule(on), forecastNamed("lifted", flat(epoch, 100)))
	d.look(t)
	var got []string
	for _, step := range []struct {
		after time.Duration
		value float64
	}{
		{time.Minute, 104}, {time.Minute, 120}, {time.Minute, 118}, {demandAge - time.Minute, 118}, {0, 118}, {time.Second, 0}, {time.Second, 118},
	} {
		d.clock.SetTime(d.clock.Now().Add(step.after))
		d.publish(t, "lifted", flat(d.clock.Now(), step.value))
		status, again := d.look(t)
		got = append(got, fmt.Sprintf("%s, again in %s", status.Forecasts[0].Demand, again))
	}
	want := []string{
		"100, again in 4m0s", // 4 % more
		"120, again in 5m0s", // a fifth more
		"120, again in 4m0s", // 2 % less
		"118, again in 5m0s", // that is five minutes old
		"118, again in 5m0s", // the same
		"118, again in 29s",  // nothing, a second after a write
		"118, again in 5m0s", // and something
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

// A schedule that comes in the very second of the first plan is in the second plan, which is known for the published one: nothing is
// written a third time.
func TestScheduleInTheSecondOfThePlan(t *testing.T) {
	fc := shortForecast("model", "")
	fc.Spec.Demand = nil
	lifting := func(name, start, demand string) *v1alpha1.PeakSchedule {
		ps := peakSchedule(v1alpha1.PeakWindow{Name: "on", Start: start, Duration: "1h", Demand: atLeast(demand)})
		ps.Name, ps.Namespace, ps.Spec.ForecastRefs = name, "shop", []v1alpha1.ForecastReference{{Name: "model"}}
		return ps
	}
	h := newHouse(t, nil, fc, deployment(), lifting("over", "2026-03-01T07:30", "7"))
	look := func() (now float64) {
		t.Helper()
		key := types.NamespacedName{Namespace: "shop", Name: "model"}
		if _, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		var got v1alpha1.Forecast
		if err := h.client.Get(t.Context(), key, &got); err != nil {
			t.Fatal(err)
		}
		plan, err := plan.Decode(*got.Status.Plan)
		if err != nil {
			t.Fatal(err)
		}
		now, _ = plan.At(h.clock.Now())
		return now
	}
	if v := look(); v != 0 {
		t.Errorf("without the schedule the plan has %v", v)
	}
	if err := h.client.Create(t.Context(), lifting("new", "2026-03-02T07:30", "15")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.clock.SetTime(h.clock.Now().Add(100 * time.Millisecond))
		if v := look(); v != 15 {
			t.Errorf("the plan has %v, and the schedule asks for 15", v)
		}
	}
	if n := len(h.writes["model"]); n != 2 {
		t.Errorf("%d writes, want one for each plan", n)
	}
}
