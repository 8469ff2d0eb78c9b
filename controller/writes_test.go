package controller

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

func TestOutageLeavesTheWritesForThePlanAfterIt(t *testing.T) {
	q := &trace{demand: daily(0.05)}
	h := newHouse(t, map[string]*trace{"q": q}, shortForecast("fc", "q"), deployment())
	h.step(t, "fc", time.Minute)
	q.err = &history.Error{Kind: history.ErrUnreachable, Message: "no connection"}
	before := len(h.writes["fc"])
	for range 25 * 60 { // longer than the plan
		h.step(t, "fc", time.Minute)
	}
	if spent := len(h.writes["fc"]) - before; spent > 4 {
		t.Errorf("%d writes in an outage of 25 h, want only those of conditions that changed", spent)
	}
	q.err = nil
	h.step(t, "fc", time.Minute)
	if plan := h.get(t, "fc").Status.Plan; !plan.ComputedAt.Equal(new(metaTime(h.clock.Now()))) {
		t.Errorf("the plan in status is of %s, and it is %s: the first plan after the outage was not written", plan.ComputedAt, h.clock.Now())
	}
	if !meta.IsStatusConditionTrue(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("not ready after the outage: %+v", h.get(t, "fc").Status.Conditions)
	}
}

// A leader that was held up must not write its plan over that of its successor.
func TestDeposedLeaderOverwritesNothing(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, shortForecast("fc", "q"), deployment())
	h.step(t, "fc", time.Minute)
	stale := h.get(t, "fc")
	// The successor writes.
	fresh := h.get(t, "fc")
	fresh.Status.Plan.ComputedAt = metaTime(h.clock.Now().Add(time.Minute))
	if err := h.client.Status().Update(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	state := h.states[named("fc")]
	next := stale.Status.DeepCopy()
	next.Plan.Segments[0].Values = "1 2 3"
	got, err := orConflict(h.write(t.Context(), stale, state, next, nil))
	if err != nil || got.RequeueAfter == 0 {
		t.Errorf("result = %+v, %v; want to come back without an error", got, err)
	}
	if after := h.get(t, "fc").Status.Plan; !after.ComputedAt.Equal(&fresh.Status.Plan.ComputedAt) || after.Segments[0].Values == "1 2 3" {
		t.Errorf("a write from an old state replaced the successor's plan: %+v", after.ComputedAt)
	}
}

func TestNewLeaderCountsTheOldOnesWrites(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.6)}}, shortForecast("fc", "q"), deployment())
	for i := range 3 * 60 {
		if i%20 == 19 {
			h.states = map[types.NamespacedName]*forecastState{} // a new leader
		}
		h.step(t, "fc", time.Minute)
	}
	times := h.writes["fc"]
	if len(times) < 18 {
		t.Fatalf("%d writes in three hours: the plan is not kept fresh", len(times))
	}
	for i, first := range times {
		n := 0
		for _, at := range times[i:] {
			if at.Sub(first) < time.Hour {
				n++
			}
		}
		if n > 12 {
			t.Fatalf("%d writes in the hour from %s, want 12 at most, whoever leads", n, first)
		}
	}
}

func TestStatusIsWhatCountsAsPublished(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(t *testing.T, h *house)
	}{
		"TakenOut": {"somebody took the plan out of the status", func(t *testing.T, h *house) {
			fc := h.get(t, "fc")
			fc.Status.Plan = nil
			if err := h.client.Status().Update(t.Context(), fc); err != nil {
				t.Fatal(err)
			}
		}},
		"MadeAnew": {"deleted and created in one go", func(t *testing.T, h *house) {
			if err := h.client.Delete(t.Context(), h.get(t, "fc")); err != nil {
				t.Fatal(err)
			}
			fc := shortForecast("fc", "q")
			fc.UID = "another"
			if err := h.client.Create(t.Context(), fc); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, map[string]*trace{"q": {demand: daily(0)}}, shortForecast("fc", "q"), deployment())
			h.step(t, "fc", time.Minute)
			c.change(t, h)
			h.step(t, "fc", time.Minute)
			fc := h.get(t, "fc")
			if fc.Status.Plan == nil {
				t.Errorf("the plan is not published again: %s", c.reason)
			}
			if state := h.states[named("fc")]; state.uid != fc.UID {
				t.Errorf("what is remembered is of another Forecast: %s", c.reason)
			}
		})
	}
}

func TestPlanThatCannotBeMadeIsSaid(t *testing.T) {
	broken := hpaReading("hpa", "fc", func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Spec.Behavior.ScaleUp.Policies = []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 0, PeriodSeconds: 15}}
	})
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}, "other": {demand: daily(0.05)}},
		shortForecast("fc", "q"), shortForecast("fine", "other"), deployment(), &broken)
	h.step(t, "fc", time.Minute)
	h.step(t, "fine", time.Minute)
	for _, kind := range []string{v1alpha1.ConditionServing, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, kind); c == nil || c.Status != "False" || c.Reason != "PlanFailed" || !contains(c.Message, "hpa", "behavior") {
			t.Errorf("%s = %+v, want False with PlanFailed, the HPA's name and what to check", kind, c)
		}
	}
	if h.get(t, "fine").Status.Plan == nil {
		t.Error("the neighbour has no plan")
	}
}

func TestForecastsOnOneTarget(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		modes  [2]v1alpha1.ForecastMode
		want   string
	}{
		"BothActive": {"two would scale one target", [2]v1alpha1.ForecastMode{"", v1alpha1.ForecastActive}, "TargetShared"},
		"Compared":   {"a dry run beside an active one is how they are compared", [2]v1alpha1.ForecastMode{"", v1alpha1.ForecastDryRun}, "NoHPA"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := shortForecast("a", "q"), shortForecast("b", "q")
			a.Spec.Mode, b.Spec.Mode = c.modes[0], c.modes[1]
			h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, a, b, deployment())
			h.step(t, "a", time.Minute)
			if got := meta.FindStatusCondition(h.get(t, "a").Status.Conditions, v1alpha1.ConditionHPALinted); got == nil || got.Reason != c.want {
				t.Errorf("HPALinted = %+v, want %s: %s", got, c.want, c.reason)
			}
		})
	}
}

func TestHPAStatusPlansNothing(t *testing.T) {
	was := hpaReading("hpa", "fc", nil)
	was.ResourceVersion = "1"
	status, spec := was.DeepCopy(), was.DeepCopy()
	status.ResourceVersion, status.Status.CurrentReplicas = "2", 7
	status.Annotations = map[string]string{"seen": "now"}
	spec.Spec.Metrics[0].External.Target.AverageValue = new(resource.MustParse("6"))
	p := hpaSpecChanged()
	if p.Update(event.UpdateEvent{ObjectOld: &was, ObjectNew: status}) {
		t.Error("the HPA controller's status, written at every sync, has Forecasts planned anew")
	}
	if !p.Update(event.UpdateEvent{ObjectOld: &was, ObjectNew: spec}) {
		t.Error("a new averageValue has no Forecast planned anew")
	}
	if !p.Create(event.CreateEvent{Object: &was}) || !p.Delete(event.DeleteEvent{Object: &was}) {
		t.Error("an HPA that comes or goes has no Forecast planned anew")
	}
}

func TestConditionsAreMetrics(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, shortForecast("fc", "q"), deployment())
	h.step(t, "fc", time.Minute)
	for kind, want := range map[string]float64{v1alpha1.ConditionReady: 1, v1alpha1.ConditionLeadTimeLearned: 0, v1alpha1.ConditionHPALinted: -1} {
		if got := gaugeValue(t, h.metrics.states.WithLabelValues("shop", "fc", kind)); got != want {
			t.Errorf("headstart_forecast_condition of %s = %v, want %v", kind, got, want)
		}
	}
	h.metrics.forget(named("fc"))
	if n := collected(h.metrics.states); n != 0 {
		t.Errorf("%d series are left of a Forecast that is gone", n)
	}
}
