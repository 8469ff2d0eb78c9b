package schedules

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
)

// scheduleSimulation is a scheduleFixture with a queue: the PeakSchedule is reconciled when it is
// due, and only then. The Forecasts are kept here instead of in the fake API server, which is slow.
type scheduleSimulation struct {
	*scheduleFixture
	forecasts map[string]*v1alpha1.Forecast
	queue     *delayQueue
	due       time.Time
	written   []time.Duration // When status was written, after the epoch.
}

func newScheduleSimulation(ps *v1alpha1.PeakSchedule, names ...string) *scheduleSimulation {
	s := &scheduleSimulation{
		scheduleFixture: newScheduleFixture(ps), forecasts: map[string]*v1alpha1.Forecast{},
		queue: &delayQueue{delays: map[string]time.Duration{}}, due: epoch,
	}
	for _, name := range names {
		s.forecasts[name] = forecastNamed(name, nil)
	}
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			into, ok := list.(*v1alpha1.ForecastList)
			if !ok {
				return c.List(ctx, list, opts...)
			}
			for _, fc := range s.forecasts {
				into.Items = append(into.Items, *fc.DeepCopy())
			}
			return nil
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			s.written = append(s.written, s.clock.Now().Sub(epoch))
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	})
	return s
}

// newFleet returns a simulation of a PeakSchedule with size Forecasts, which have no plans yet.
func newFleet(size int) (*scheduleSimulation, []string) {
	ps := peakSchedule(activeWindow("15"))
	ps.Spec.ForecastRefs = nil
	var names []string
	for i := range size {
		names = append(names, fmt.Sprintf("model-%02d", i))
		ps.Spec.ForecastRefs = append(ps.Spec.ForecastRefs, v1alpha1.ForecastReference{Name: names[i]})
	}
	return newScheduleSimulation(ps, names...), names
}

// publish gives a Forecast a new plan of one value. This enqueues the PeakSchedule.
func (s *scheduleSimulation) publish(t *testing.T, name string, value float64) {
	t.Helper()
	before, after := s.forecasts[name], forecastNamed(name, flatPlan(s.clock.Now(), value))
	s.forecasts[name] = after
	clear(s.queue.delays)
	s.planChanged(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, s.queue)
	wait, enqueued := s.queue.delays["peak"]
	if !enqueued {
		t.Fatal("the PeakSchedule is not enqueued after a new plan")
	}
	if at := s.clock.Now().Add(wait); at.Before(s.due) {
		s.due = at
	}
}

// second reconciles if that is due, and advances the clock by a second.
func (s *scheduleSimulation) second(t *testing.T) {
	t.Helper()
	if now := s.clock.Now(); !now.Before(s.due) {
		result, err := s.Reconcile(t.Context(), ctrl.Request{NamespacedName: peakKey()})
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter <= 0 {
			t.Fatal("the PeakSchedule is not requeued, so what was not written is lost")
		}
		s.due = now.Add(result.RequeueAfter)
	}
	s.clock.SetTime(s.clock.Now().Add(time.Second))
}

// demands returns what the status shows, by Forecast.
func (s *scheduleSimulation) demands(t *testing.T) map[string]string {
	t.Helper()
	var ps v1alpha1.PeakSchedule
	if err := s.Client.Get(t.Context(), peakKey(), &ps); err != nil {
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

func seconds(values ...int) []time.Duration {
	var out []time.Duration
	for _, v := range values {
		out = append(out, time.Duration(v)*time.Second)
	}
	return out
}

// In a fleet, the plan of one Forecast or another changes every second. The status is written less
// and less often after a change of the spec. In the end it shows the last plans.
func TestManyForecastsCauseFewWrites(t *testing.T) {
	s, names := newFleet(50)
	for second := range 120 {
		for i, name := range names {
			s.publish(t, name, float64(20+(second*7+i)%50*10)) // Every change is above demandTolerance.
		}
		s.second(t)
	}
	want := seconds(0, 3, 6, 12, 24, 48, 78, 108)
	if diff := cmp.Diff(want, s.written); diff != "" {
		t.Errorf("status was written at: -want, +got\n%s", diff)
	}
	last := map[string]string{}
	for i, name := range names {
		last[name] = fmt.Sprint(100 + i)
		s.publish(t, name, float64(100+i))
	}
	for range 20 {
		s.second(t)
	}
	if diff := cmp.Diff(last, s.demands(t)); diff != "" {
		t.Errorf("half a minute after the last write the status shows: -want, +got\n%s", diff)
	}
	if n := len(s.written); n != len(want)+1 {
		t.Errorf("%d writes, want one for all the last plans together", n-len(want))
	}
}

// After a change of the spec, the status is written at once, and again for the plans with it.
func TestNewSpecIsAnsweredAtOnce(t *testing.T) {
	s, names := newFleet(50)
	for second := range 120 {
		for i, name := range names {
			s.publish(t, name, float64(20+(second*7+i)%50*10))
		}
		s.second(t)
	}
	var ps v1alpha1.PeakSchedule
	ps.Namespace, ps.Name = peakKey().Namespace, peakKey().Name
	s.publish(t, names[0], 300)
	s.change(t, &ps, func() { ps.Spec.Windows[0].Demand = atLeast("400") })
	s.due = s.clock.Now()
	began, at := len(s.written), s.clock.Now().Sub(epoch)
	s.second(t)
	s.publish(t, names[0], 400)
	for range 5 {
		s.second(t)
	}
	if diff := cmp.Diff([]time.Duration{at, at + 3*time.Second}, s.written[began:]); diff != "" {
		t.Errorf("after a change of the spec status was written at: -want, +got\n%s", diff)
	}
	if got := s.demands(t)[names[0]]; got != "400" {
		t.Errorf("the status shows %s, want 400", got)
	}
}

// After a quiet time, a change is written planBatchDelay later, together with other changes.
func TestChangeAfterAQuietTime(t *testing.T) {
	s, names := newFleet(3)
	for _, name := range names {
		s.publish(t, name, 100)
	}
	for range 200 {
		s.second(t)
	}
	began, at := len(s.written), s.clock.Now().Sub(epoch)
	for _, name := range names {
		s.publish(t, name, 200)
	}
	for range 60 {
		s.second(t)
	}
	if diff := cmp.Diff([]time.Duration{at + planBatchDelay}, s.written[began:]); diff != "" {
		t.Errorf("status was written at: -want, +got\n%s", diff)
	}
}

// A new process does not know when the old one wrote. It writes the first change, and pauses
// afterwards, since the spec did not change.
func TestNewLeaderPauses(t *testing.T) {
	s, names := newFleet(2)
	s.publish(t, names[0], 100)
	for range 100 {
		s.second(t)
	}
	s.writes = scheduleWrites{}
	began, at := len(s.written), s.clock.Now().Sub(epoch)
	for second := range 70 {
		s.publish(t, names[0], float64(second*second))
		s.second(t)
	}
	first := at + planBatchDelay
	want := []time.Duration{first, first + maxWritePause, first + 2*maxWritePause}
	if diff := cmp.Diff(want, s.written[began:]); diff != "" {
		t.Errorf("status was written at: -want, +got\n%s", diff)
	}
}

// The writes of a PeakSchedule whose windows change every two seconds are bounded, whether or not plans
// change too.
func TestBusyScheduleIsRarelyWritten(t *testing.T) {
	for name, plansChange := range map[string]bool{"WindowsOnly": false, "WindowsAndPlans": true} {
		t.Run(name, func(t *testing.T) {
			var windows []v1alpha1.PeakWindow
			for i := range 30 {
				windows = append(windows, v1alpha1.PeakWindow{
					Name: fmt.Sprint("w", i), Schedule: "* 8 * * *", Demand: atLeast("1"),
					Duration: v1alpha1.FormatDuration(time.Duration(2*i+1) * time.Second),
				})
			}
			s := newScheduleSimulation(peakSchedule(windows...), "affected")
			for second := range 600 {
				if plansChange {
					s.publish(t, "affected", float64(second))
				}
				s.second(t)
			}
			if len(s.written) < 15 {
				t.Errorf("%d writes in ten minutes: the status is not kept up to date", len(s.written))
			}
			for i, at := range s.written {
				if at > time.Minute && at-s.written[i-1] < maxWritePause {
					t.Errorf("status was written at %s and at %s", s.written[i-1], at)
				}
			}
		})
	}
}
