package controller

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// hang has the house's history never answer, to a leader that has just begun.
func (h *house) hang() {
	h.states = map[types.NamespacedName]*forecastState{}
	h.open = func(string, planner.Settings) (seriesReader, error) { return hung{}, nil }
}

// reconcileFor reconciles whenever it is asked to come back, until d has gone by, and says how often that was.
func (h *house) reconcileFor(t *testing.T, name string, d time.Duration) (times int) {
	t.Helper()
	for end := h.clock.Now().Add(d); h.clock.Now().Before(end); times++ {
		got, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: named(name)})
		if err != nil {
			t.Fatal(err)
		}
		if got.RequeueAfter <= 0 {
			t.Fatal("a Forecast whose history is being read is not come back to")
		}
		h.clock.SetTime(h.clock.Now().Add(got.RequeueAfter))
	}
	return times
}

func (h *house) historyReady(t *testing.T, name string) metav1.Condition {
	t.Helper()
	if c := meta.FindStatusCondition(h.get(t, name).Status.Conditions, v1alpha1.ConditionHistoryReady); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func TestPeaksArePlannedWhileHistoryIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		fc      *v1alpha1.Forecast
		objects []client.Object
		plan    bool
		writes  int // at most, in two hours
	}{
		"Peak":   {"a declared peak needs no history", shortForecast("fc", "q"), []client.Object{noonPeak("fc")}, true, 24},
		"Coarse": {"a long step is no reason to wait for as long", coarse(nil), []client.Object{noonPeak("fc")}, true, 24},
		"NoPeak": {"there is nothing to plan with, and nothing changes after the first word", shortForecast("fc", "q"), nil, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil, append(c.objects, c.fc, deployment())...)
			h.hang()
			if h.reconcileFor(t, "fc", time.Second); len(h.writes["fc"]) != 0 {
				t.Error("status was written before the read had any time")
			}
			h.reconcileFor(t, "fc", 2*time.Minute)
			fc := h.get(t, "fc")
			if got := h.historyReady(t, "fc"); got.Status != metav1.ConditionUnknown || got.Reason != "Reading" {
				t.Errorf("HistoryReady = %+v, want Unknown with Reading", got)
			}
			if got := fc.Status.Plan != nil; got != c.plan {
				t.Fatalf("plan published: %t, want %t: %s", got, c.plan, c.reason)
			}
			if times := h.reconcileFor(t, "fc", 2*time.Hour); times > 125 {
				t.Errorf("came back %d times in two hours, want once a step", times)
			}
			if n := len(h.writes["fc"]); n > c.writes {
				t.Errorf("%d writes, want %d at most: %s", n, c.writes, c.reason)
			}
			if at := metav1.NewTime(epoch.Add(12*time.Hour + time.Minute)); c.plan {
				if got, ok := h.states[named("fc")].step.Published.At(at.Time); !ok || got != 500 {
					t.Errorf("the plan says %v, %t at noon, want the 500 that were declared", got, ok)
				}
			}
		})
	}
}

// A peak that is declared while the read lasts is planned when it comes, not a step later.
func TestPeakDeclaredWhileHistoryIsRead(t *testing.T) {
	h := newHouse(t, nil, shortForecast("fc", "q"), deployment())
	h.hang()
	h.reconcileFor(t, "fc", 10*time.Minute)
	if err := h.client.Create(t.Context(), noonPeak("fc")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: named("fc")}); err != nil {
		t.Fatal(err)
	}
	if h.get(t, "fc").Status.Plan == nil {
		t.Error("the peak is not planned")
	}
}

// An HPA that reads 0 goes to its minimum: without demand, nothing is served until there are peaks. What was published goes when
// they do, and does not come back.
func TestNothingToPlanWith(t *testing.T) {
	fc := shortForecast("fc", "q")
	fc.Spec.Demand = nil
	h := newHouse(t, nil, fc, deployment())
	says := func(status metav1.ConditionStatus, reason string, plan bool) {
		t.Helper()
		got := h.get(t, "fc")
		if c := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != status || c.Reason != reason {
			t.Errorf("Ready = %+v, want %s with %s", c, status, reason)
		}
		if (got.Status.Plan != nil) != plan {
			t.Errorf("a plan is published: %t, want %t", !plan, plan)
		}
	}
	h.step(t, "fc", 0)
	says(metav1.ConditionFalse, "NoPeaks", false)
	peak := noonPeak("fc")
	if err := h.client.Create(t.Context(), peak); err != nil {
		t.Fatal(err)
	}
	h.step(t, "fc", time.Second)
	says(metav1.ConditionTrue, "ServingPlan", true)
	if err := h.client.Delete(t.Context(), peak); err != nil {
		t.Fatal(err)
	}
	h.step(t, "fc", time.Second)
	says(metav1.ConditionFalse, "NoPeaks", true)
	at := epoch.Add(12*time.Hour + time.Minute)
	if v, ok := h.states[named("fc")].step.Published.At(at); !ok || v != 0 {
		t.Errorf("the plan says %v, %t at the noon whose peak was taken back, want 0", v, ok)
	}
}

// A schedule that cannot be evaluated any more leaves the plan that has it, in which its peaks go on: they were not taken back.
func TestPeakThatTurnsInvalidStays(t *testing.T) {
	fc, peak := shortForecast("fc", "q"), noonPeak("fc")
	fc.Spec.Demand = nil
	h := newHouse(t, nil, fc, deployment(), peak)
	h.step(t, "fc", 0)
	if err := h.client.Get(t.Context(), client.ObjectKeyFromObject(peak), peak); err != nil {
		t.Fatal(err)
	}
	peak.Spec.Except, peak.Generation = &v1alpha1.Days{Calendars: []string{"gone"}}, peak.Generation+1
	if err := h.client.Update(t.Context(), peak); err != nil {
		t.Fatal(err)
	}
	h.step(t, "fc", time.Minute)
	if v, ok := h.states[named("fc")].step.Published.At(epoch.Add(12*time.Hour + time.Minute)); !ok || v != 500 {
		t.Errorf("the plan says %v, %t at noon, want the 500 that were declared", v, ok)
	}
	conditions := h.get(t, "fc").Status.Conditions
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); c == nil || c.Reason != "PeakScheduleInvalid" || !strings.Contains(c.Message, "gone") {
		t.Errorf("Ready = %+v, want PeakScheduleInvalid and what is missing", c)
	}
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionServing); c == nil || c.Reason != reasonLastPlan {
		t.Errorf("Serving = %+v, want %s", c, reasonLastPlan)
	}
	h.step(t, "fc", h.states[named("fc")].step.Published.End().Sub(h.clock.Now()))
	c := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionServing)
	if c == nil || c.Reason != "PlanExpired" || !strings.Contains(c.Message, "see PeaksValid") {
		t.Errorf("Serving = %+v after the plan's end, want PlanExpired, and what to look at", c)
	}
}

func TestLowerBoundIsSomethingToServe(t *testing.T) {
	fc, least := shortForecast("fc", "q"), resource.MustParse("7")
	fc.Spec.Demand, fc.Spec.Bounds = nil, v1alpha1.Bounds{Min: &least}
	h := newHouse(t, nil, fc, deployment())
	h.step(t, "fc", 0)
	status := h.get(t, "fc").Status
	if !isTrue(status.Conditions, v1alpha1.ConditionReady) || status.Served == nil || status.Served.Value.Value() != 7 {
		t.Errorf("served is %v and the conditions are %+v, want 7 and Ready", status.Served, status.Conditions)
	}
}

func TestReadingAfterARestartKeepsTheForecastBesideAPeak(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, shortForecast("fc", "q"), deployment(), noonPeak("fc"))
	h.step(t, "fc", time.Minute)
	before := h.get(t, "fc").Status.Plan
	if before == nil {
		t.Fatal("no plan was made")
	}
	h.hang()
	h.reconcileFor(t, "fc", time.Hour)
	fc := h.get(t, "fc")
	if fc.Status.Plan == nil || !fc.Status.Plan.ComputedAt.Equal(&before.ComputedAt) {
		t.Fatalf("the peaks alone replaced a plan that rests on a forecast: %+v", fc.Status.Plan)
	}
	if got := h.historyReady(t, "fc"); got.Reason != "Reading" {
		t.Errorf("HistoryReady = %+v, want Reading", got)
	}
	if !meta.IsStatusConditionTrue(fc.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("the plan is served while history is read, so the Forecast should stay ready: %+v", fc.Status.Conditions)
	}
	if n := len(h.writes["fc"]); n > 2 {
		t.Errorf("%d writes, want the plan's and the condition's", n)
	}
}
