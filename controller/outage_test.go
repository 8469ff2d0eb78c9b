package controller

import (
	"context"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// After a restart during an outage, the peaks alone do not replace a plan that is made from a
// forecast.
func TestRestartInAnOutageKeepsThePlan(t *testing.T) {
	histories := dailyHistory(0.05)
	f := newFixture(t, histories, shortForecast("fc", "q"), deployment(), noonPeak("fc"))
	f.step(t, "fc", time.Minute)
	before := f.get(t, "fc").Status.Plan
	if before == nil {
		t.Fatal("no plan was made")
	}
	histories["q"].err = errUnreachable()
	f.changeLeader()
	for range 20 {
		f.step(t, "fc", time.Minute)
	}
	if after := f.get(t, "fc").Status.Plan; after == nil || !after.ComputedAt.Equal(&before.ComputedAt) {
		t.Fatalf("the plan was replaced: %+v", after)
	}
	f.wantReady(t, "fc") // The plan is served during the outage.
}

// A plan depends on the series only, not on how long the leader has been running.
func TestRestartMakesTheSamePlan(t *testing.T) {
	f := newFixture(t, dailyHistory(0.2), fiveMinuteForecast(), deployment())
	for range 9 * 12 { // This includes a fit, and a part of the interval after it.
		f.step(t, "fc", 5*time.Minute)
	}
	before := f.states[named("fc")].step.Model.Outlook()
	f.changeLeader()
	f.step(t, "fc", 0)
	after := f.states[named("fc")].step.Model.Outlook()
	if !before.Start.Equal(after.Start) {
		t.Fatalf("forecasts from %s and %s cannot be compared", before.Start, after.Start)
	}
	for i := range before.Cover {
		if before.Cover[i] != after.Cover[i] {
			t.Fatalf("step %d: %v under the old leader and %v under the new one", i, before.Cover[i], after.Cover[i])
		}
	}
}

func TestExpiredPlanIsNotServed(t *testing.T) {
	histories := dailyHistory(0.05)
	f := newFixture(t, histories, shortForecast("fc", "q"), deployment())
	f.step(t, "fc", time.Minute)
	histories["q"].err = errUnreachable()
	f.step(t, "fc", 25*time.Hour)
	f.step(t, "fc", time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionServing, "False", "PlanExpired")
	if c := f.condition(t, "fc", v1alpha1.ConditionReady); c.Status == metav1.ConditionTrue {
		t.Errorf("Ready = %+v, although the plan has expired", c)
	}
}

func TestPausedIsReady(t *testing.T) {
	fc := shortForecast("fc", "q")
	fc.Spec.Mode = v1alpha1.ForecastPaused
	f := newFixture(t, dailyHistory(0.05), fc, deployment())
	f.step(t, "fc", time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionReady, "True", "Paused")
}

func TestNoRetryWithinTenSeconds(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		open   func(string, planner.Settings) (reads.SeriesReader, error)
	}{
		"UnknownSource": {
			"somebody must change the spec or the sources first",
			func(string, planner.Settings) (reads.SeriesReader, error) {
				return nil, &history.Error{Kind: history.ErrSourceUnknown, Message: "no such source"}
			},
		},
		"NoAnswer": {
			"the end of a read requeues the Forecast",
			func(string, planner.Settings) (reads.SeriesReader, error) { return hangingReader{}, nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil, shortForecast("fc", "q"), deployment())
			f.open = tc.open
			var got ctrl.Result
			for range 3 {
				f.clock.SetTime(f.clock.Now().Add(2 * time.Minute))
				if s := f.states[named("fc")]; s != nil {
					s.readErr = context.DeadlineExceeded // As if the first read had timed out.
				}
				got = f.reconcile(t, "fc")
			}
			if got.RequeueAfter < 10*time.Second {
				t.Errorf("requeued after %s, want at least 10s: %s", got.RequeueAfter, tc.reason)
			}
		})
	}
}

// While no new plan can be made, Ready says that the last plan is served, and why there is no new
// one.
func TestReadyWhileTheLastPlanIsServed(t *testing.T) {
	histories := dailyHistory(0.05)
	f := newFixture(t, histories, shortForecast("fc", "q"), deployment())
	f.step(t, "fc", time.Minute)
	histories["q"].err = errUnreachable()
	f.changeLeader()
	for range 3 {
		f.step(t, "fc", time.Minute)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionServing, "True", reasonLastPlan)
	f.wantCondition(t, "fc", v1alpha1.ConditionReady, "True", "ServingPlan")
	// A new message alone is not worth a write. A change of the spec is, and then the message is
	// the current one.
	fc := f.get(t, "fc")
	fc.Spec.LeadTime.Percentile, fc.Generation = 95, 2
	if err := f.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	f.step(t, "fc", time.Minute)
	message := f.condition(t, "fc", v1alpha1.ConditionReady).Message
	if !contains(message, "the last plan is served until", "no connection") {
		t.Errorf("Ready has the message %q", message)
	}
}

func TestReadyCondition(t *testing.T) {
	type condition struct {
		kind   string
		status metav1.ConditionStatus
		reason string
	}
	reading := []condition{
		{v1alpha1.ConditionHistoryReady, "Unknown", "Reading"}, {v1alpha1.ConditionSkilled, "Unknown", "NoHistory"},
	}
	whileReading := func(more ...condition) []condition { return append(slices.Clone(reading), more...) }
	serving := func(status metav1.ConditionStatus, reason string) condition {
		return condition{v1alpha1.ConditionServing, status, reason}
	}
	lastPlan := serving("True", reasonLastPlan)
	dropped := condition{v1alpha1.ConditionObserved, "False", reasonFloorDropped}
	for name, tc := range map[string]struct {
		reason     string
		conditions []condition
		basis      planner.Basis
		want       string
	}{
		"Forecast": {
			"the last plan is served",
			whileReading(lastPlan), planner.BasisForecast, "True ServingPlan",
		},
		"ForecastDropped": {
			"the last plan is served, without observed demand as its lower bound",
			whileReading(lastPlan, dropped), planner.BasisForecast, "True ServingPlan",
		},
		"Peaks": {
			"a plan without a forecast has no value outside of its peaks: observed demand is served",
			whileReading(lastPlan), planner.BasisPeaks, "True ServingObserved",
		},
		"PeaksDropped": {
			"observed demand is needed, and not known",
			whileReading(lastPlan, dropped), planner.BasisPeaks, "False FloorDropped",
		},
		"FirstPlan": {
			"peaks are planned while history is read",
			whileReading(serving("True", "PlanPublished")), planner.BasisPeaks, "True ServingObserved",
		},
		"NoPlan": {
			"there was never a plan",
			whileReading(serving("Unknown", "NoPlan")), planner.BasisNone, "False Reading",
		},
		"Expired": {
			"the last plan has expired",
			whileReading(serving("False", "PlanExpired")), planner.BasisForecast, "False PlanExpired",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s conditionSet
			for _, c := range tc.conditions {
				s.Put(c.kind, c.status, c.reason, "because")
			}
			s.setReadyCondition(v1alpha1.ForecastActive, tc.basis)
			c := s.Get(v1alpha1.ConditionReady)
			if got := string(c.Status) + " " + c.Reason; got != tc.want {
				t.Errorf("Ready is %s (%s), want %s: %s", got, c.Message, tc.want, tc.reason)
			}
		})
	}
}
