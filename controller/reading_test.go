package controller

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// wantPlannedAtNoon checks what the published plan provides for within the window of noonPeak.
func (f *fixture) wantPlannedAtNoon(t *testing.T, want float64) {
	t.Helper()
	noon := epoch.Add(12*time.Hour + time.Minute)
	if got, ok := f.published("fc").At(noon); !ok || got != want {
		t.Errorf("the plan has %v, %t at noon, want %v", got, ok, want)
	}
}

func TestPeaksArePlannedWhileHistoryIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		fc      *v1alpha1.Forecast
		objects []client.Object
		plan    bool
		writes  int // At most, in two hours.
	}{
		"Peak": {
			"a declared peak needs no history",
			shortForecast("fc", "q"),
			[]client.Object{noonPeak("fc")},
			true, 24,
		},
		"LongStep": {
			"with a long step, the wait is not longer",
			fiveMinuteForecast(),
			[]client.Object{noonPeak("fc")},
			true, 24,
		},
		"NoPeak": {
			"nothing can be planned, and no condition changes after the first write",
			shortForecast("fc", "q"), nil, false, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil, append(c.objects, c.fc, deployment())...)
			f.hangReads()
			if f.reconcileFor(t, "fc", time.Second); len(f.writes["fc"]) != 0 {
				t.Error("status was written without waiting for the read")
			}
			f.reconcileFor(t, "fc", 2*time.Minute)
			f.wantCondition(t, "fc", v1alpha1.ConditionHistoryReady, "Unknown", "Reading")
			if got := f.get(t, "fc").Status.Plan != nil; got != c.plan {
				t.Fatalf("plan published: %t, want %t: %s", got, c.plan, c.reason)
			}
			if times := f.reconcileFor(t, "fc", 2*time.Hour); times > 125 {
				t.Errorf("%d reconciliations in two hours, want one a step", times)
			}
			if n := len(f.writes["fc"]); n > c.writes {
				t.Errorf("%d writes, want at most %d: %s", n, c.writes, c.reason)
			}
			if c.plan {
				f.wantPlannedAtNoon(t, 500)
			}
		})
	}
}

// A peak that is declared during a read is planned at once, not a step later.
func TestPeakDeclaredWhileHistoryIsRead(t *testing.T) {
	f := newFixture(t, nil, shortForecast("fc", "q"), deployment())
	f.hangReads()
	f.reconcileFor(t, "fc", 10*time.Minute)
	if err := f.client.Create(t.Context(), noonPeak("fc")); err != nil {
		t.Fatal(err)
	}
	f.reconcile(t, "fc")
	if f.get(t, "fc").Status.Plan == nil {
		t.Error("the peak is not planned")
	}
}

// An HPA that reads 0 goes to its minimum. So without demand nothing is served until there are
// peaks. When the peaks are removed, the published plan does not keep them.
func TestNoDemandAndNoPeaks(t *testing.T) {
	fc := shortForecast("fc", "q")
	fc.Spec.Demand = nil
	f := newFixture(t, nil, fc, deployment())
	want := func(status metav1.ConditionStatus, reason string, plan bool) {
		t.Helper()
		f.wantCondition(t, "fc", v1alpha1.ConditionReady, status, reason)
		if published := f.get(t, "fc").Status.Plan != nil; published != plan {
			t.Errorf("a plan is published: %t, want %t", published, plan)
		}
	}
	f.step(t, "fc", 0)
	want(metav1.ConditionFalse, "NoPeaks", false)
	peak := noonPeak("fc")
	if err := f.client.Create(t.Context(), peak); err != nil {
		t.Fatal(err)
	}
	f.step(t, "fc", time.Second)
	want(metav1.ConditionTrue, "ServingPlan", true)
	if err := f.client.Delete(t.Context(), peak); err != nil {
		t.Fatal(err)
	}
	f.step(t, "fc", time.Second)
	want(metav1.ConditionFalse, "NoPeaks", true)
	f.wantPlannedAtNoon(t, 0)
}

// When a PeakSchedule becomes invalid, the last plan stays, with its peaks: they were not removed.
func TestInvalidPeakScheduleKeepsThePlan(t *testing.T) {
	fc, peak := shortForecast("fc", "q"), noonPeak("fc")
	fc.Spec.Demand = nil
	f := newFixture(t, nil, fc, deployment(), peak)
	f.step(t, "fc", 0)
	if err := f.client.Get(t.Context(), client.ObjectKeyFromObject(peak), peak); err != nil {
		t.Fatal(err)
	}
	peak.Spec.Except, peak.Generation = &v1alpha1.Days{Calendars: []string{"gone"}}, peak.Generation+1
	if err := f.client.Update(t.Context(), peak); err != nil {
		t.Fatal(err)
	}
	f.step(t, "fc", time.Minute)
	f.wantPlannedAtNoon(t, 500)
	ready := f.condition(t, "fc", v1alpha1.ConditionReady)
	if ready.Reason != "PeakScheduleInvalid" || !contains(ready.Message, "gone") {
		t.Errorf("Ready = %+v, want PeakScheduleInvalid with the name of the Calendar", ready)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionServing, "True", reasonLastPlan)
	f.step(t, "fc", f.published("fc").End().Sub(f.clock.Now()))
	serving := f.condition(t, "fc", v1alpha1.ConditionServing)
	if serving.Reason != "PlanExpired" || !contains(serving.Message, "see PeaksValid") {
		t.Errorf("after the plan's end Serving = %+v, want PlanExpired, and the condition with the cause", serving)
	}
}

func TestLowerBoundAloneIsServed(t *testing.T) {
	fc, least := shortForecast("fc", "q"), resource.MustParse("7")
	fc.Spec.Demand, fc.Spec.Bounds = nil, v1alpha1.Bounds{Min: &least}
	f := newFixture(t, nil, fc, deployment())
	f.step(t, "fc", 0)
	f.wantReady(t, "fc")
	if served := f.get(t, "fc").Status.Served; served == nil || served.Value.Value() != 7 {
		t.Errorf("served is %v, want 7", served)
	}
}

// After a restart, while history is read, the peaks alone do not replace a plan that is made from a
// forecast.
func TestRestartKeepsThePlanWhileHistoryIsRead(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05), shortForecast("fc", "q"), deployment(), noonPeak("fc"))
	f.step(t, "fc", time.Minute)
	before := f.get(t, "fc").Status.Plan
	if before == nil {
		t.Fatal("no plan was made")
	}
	f.hangReads()
	f.reconcileFor(t, "fc", time.Hour)
	if after := f.get(t, "fc").Status.Plan; after == nil || !after.ComputedAt.Equal(&before.ComputedAt) {
		t.Fatalf("the plan was replaced: %+v", after)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionHistoryReady, "Unknown", "Reading")
	f.wantReady(t, "fc") // The plan is served while history is read.
	if n := len(f.writes["fc"]); n > 2 {
		t.Errorf("%d writes, want one of the plan and one of the condition", n)
	}
}
