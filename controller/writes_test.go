package controller

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/planner/plan"
)

// An outage does not use up the writes that the first plan after it needs.
func TestOutageUsesFewWrites(t *testing.T) {
	histories := dailyHistory(0.05)
	f := newFixture(t, histories, shortForecast("fc", "q"), deployment())
	f.step(t, "fc", time.Minute)
	histories["q"].err = errUnreachable()
	before := len(f.writes["fc"])
	for range 25 * 60 { // The plan ends meanwhile.
		f.step(t, "fc", time.Minute)
	}
	if n := len(f.writes["fc"]) - before; n > 4 {
		t.Errorf("%d writes in an outage of 25 h, want only those of changed conditions", n)
	}
	histories["q"].err = nil
	f.step(t, "fc", time.Minute)
	if plan := f.get(t, "fc").Status.Plan; !plan.ComputedAt.Equal(new(kube.MetaTime(f.clock.Now()))) {
		t.Errorf("it is %s, and the plan in status is of %s: the first plan after the outage was not written",
			f.clock.Now(), plan.ComputedAt)
	}
	f.wantReady(t, "fc")
}

// A leader that was delayed does not write its plan over that of its successor.
func TestDelayedLeaderOverwritesNothing(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05), shortForecast("fc", "q"), deployment())
	f.step(t, "fc", time.Minute)
	old := f.get(t, "fc")
	// The successor writes.
	newer := f.get(t, "fc")
	newer.Status.Plan.ComputedAt = kube.MetaTime(f.clock.Now().Add(time.Minute))
	if err := f.client.Status().Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	state := f.states[named("fc")]
	next := old.Status.DeepCopy()
	next.Plan.Segments[0].Values = "1 2 3"
	got, err := kube.OrConflict(f.write(t.Context(), old, state, next, nil))
	if err != nil || got.RequeueAfter == 0 {
		t.Errorf("result = %+v, %v; want a retry without an error", got, err)
	}
	plan := f.get(t, "fc").Status.Plan
	if !plan.ComputedAt.Equal(&newer.Status.Plan.ComputedAt) || plan.Segments[0].Values == "1 2 3" {
		t.Errorf("the old leader replaced the successor's plan: %+v", plan.ComputedAt)
	}
}

func TestNewLeaderCountsTheOldLeadersWrites(t *testing.T) {
	f := newFixture(t, dailyHistory(0.6), shortForecast("fc", "q"), deployment())
	for i := range 3 * 60 {
		if i%20 == 19 {
			f.changeLeader()
		}
		f.step(t, "fc", time.Minute)
	}
	times := f.writes["fc"]
	if len(times) < 18 {
		t.Fatalf("%d writes in three hours: the plan is not refreshed", len(times))
	}
	if n := mostWritesInAnHour(times); n > 12 {
		t.Fatalf("%d writes in an hour, want at most 12, with any leader", n)
	}
}

// A plan is published again when status has none, or the Forecast was created again.
func TestPlanIsPublishedAgain(t *testing.T) {
	cases := map[string]func(t *testing.T, f *fixture){
		"PlanRemoved": func(t *testing.T, f *fixture) {
			fc := f.get(t, "fc")
			fc.Status.Plan = nil
			if err := f.client.Status().Update(t.Context(), fc); err != nil {
				t.Fatal(err)
			}
		},
		"Recreated": func(t *testing.T, f *fixture) {
			if err := f.client.Delete(t.Context(), f.get(t, "fc")); err != nil {
				t.Fatal(err)
			}
			fc := shortForecast("fc", "q")
			fc.UID = "another"
			if err := f.client.Create(t.Context(), fc); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, dailyHistory(0), shortForecast("fc", "q"), deployment())
			f.step(t, "fc", time.Minute)
			change(t, f)
			f.step(t, "fc", time.Minute)
			fc := f.get(t, "fc")
			if fc.Status.Plan == nil {
				t.Error("the plan is not published again")
			}
			if state := f.states[named("fc")]; state.uid != fc.UID {
				t.Error("the state in memory is that of the deleted Forecast")
			}
		})
	}
}

func TestPlanThatCannotBeMade(t *testing.T) {
	broken := hpaReading("hpa", "fc", func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Spec.Behavior.ScaleUp.Policies = []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 0, PeriodSeconds: 15},
		}
	})
	histories := map[string]*fakeHistory{"q": {demand: daily(0.05)}, "other": {demand: daily(0.05)}}
	f := newFixture(t, histories, shortForecast("fc", "q"), shortForecast("fine", "other"), deployment(), &broken)
	f.step(t, "fc", time.Minute)
	f.step(t, "fine", time.Minute)
	for _, kind := range []string{v1alpha1.ConditionServing, v1alpha1.ConditionReady} {
		f.wantCondition(t, "fc", kind, "False", "PlanFailed")
		if c := f.condition(t, "fc", kind); !contains(c.Message, "hpa", "behavior") {
			t.Errorf("%s = %+v, want a message with the HPA's name and what to check", kind, c)
		}
	}
	if f.get(t, "fine").Status.Plan == nil {
		t.Error("the other Forecast has no plan")
	}
}

func TestForecastsOfOneTarget(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		modes  [2]v1alpha1.ForecastMode
		status metav1.ConditionStatus
		want   string
	}{
		"BothActive": {
			"both would scale the target",
			[2]v1alpha1.ForecastMode{"", v1alpha1.ForecastActive},
			"False", "TargetShared",
		},
		"DryRun": {
			"a dry run beside an active Forecast is a comparison",
			[2]v1alpha1.ForecastMode{"", v1alpha1.ForecastDryRun},
			"Unknown", "NoHPA",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := shortForecast("a", "q"), shortForecast("b", "q")
			a.Spec.Mode, b.Spec.Mode = c.modes[0], c.modes[1]
			f := newFixture(t, dailyHistory(0.05), a, b, deployment())
			f.step(t, "a", time.Minute)
			f.wantCondition(t, "a", v1alpha1.ConditionHPALinted, c.status, c.want)
		})
	}
}

func TestConditionsAreMetrics(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05), shortForecast("fc", "q"), deployment())
	f.step(t, "fc", time.Minute)
	for kind, want := range map[string]float64{
		v1alpha1.ConditionReady: 1, v1alpha1.ConditionLeadTimeLearned: 0, v1alpha1.ConditionHPALinted: -1,
	} {
		if got := gaugeValue(t, f.metrics.conditions.WithLabelValues("shop", "fc", kind)); got != want {
			t.Errorf("headstart_forecast_condition of %s = %v, want %v", kind, got, want)
		}
	}
	f.metrics.forget(named("fc"))
	if n := collected(f.metrics.conditions); n != 0 {
		t.Errorf("%d series of a deleted Forecast are left", n)
	}
}

// A PeakSchedule can be created in the same second as the first plan. The second plan is published
// then, although its ComputedAt is the same. It is not written a third time.
func TestTwoPlansInOneSecond(t *testing.T) {
	fc := shortForecast("model", "")
	fc.Spec.Demand = nil
	schedule := func(name, start, demand string) *v1alpha1.PeakSchedule {
		ps := noonPeak("model")
		ps.Name, ps.UID, ps.Spec.TimeZone = name, types.UID(name), "Asia/Shanghai"
		ps.Spec.Windows[0] = v1alpha1.PeakWindow{Name: "on", Start: start, Duration: "1h", Demand: atLeast(demand)}
		return ps
	}
	f := newFixture(t, nil, fc, deployment(), schedule("past", "2026-03-01T07:30", "7"))
	planned := func() float64 {
		t.Helper()
		f.reconcile(t, "model")
		plan, err := plan.Decode(*f.get(t, "model").Status.Plan)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := plan.At(f.clock.Now())
		return v
	}
	if v := planned(); v != 0 {
		t.Errorf("without an active window the plan has %v, want 0", v)
	}
	if err := f.client.Create(t.Context(), schedule("new", "2026-03-02T07:30", "15")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.clock.SetTime(f.clock.Now().Add(100 * time.Millisecond))
		if v := planned(); v != 15 {
			t.Errorf("the plan has %v, want the declared 15", v)
		}
	}
	if n := len(f.writes["model"]); n != 2 {
		t.Errorf("%d writes, want one for each plan", n)
	}
}
