package controller

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

func noonPeak(forecast string) *v1alpha1.PeakSchedule {
	atLeast := quantityOf(500)
	ps := &v1alpha1.PeakSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "noon", UID: "noon"}}
	ps.Spec.TimeZone = "UTC"
	ps.Spec.ForecastRefs = []v1alpha1.ForecastReference{{Name: forecast}}
	ps.Spec.Windows = []v1alpha1.PeakWindow{{Name: "noon", Schedule: "0 12 * * *", Duration: "2h", Demand: v1alpha1.PeakDemand{AtLeast: &atLeast}}}
	return ps
}

func TestRestartInAnOutageKeepsTheForecastBesideAPeak(t *testing.T) {
	q := &trace{demand: daily(0.05)}
	h := newHouse(t, map[string]*trace{"q": q}, shortForecast("fc", "q"), deployment(), noonPeak("fc"))
	h.step(t, "fc", time.Minute)
	before := h.get(t, "fc").Status.Plan
	if before == nil {
		t.Fatal("no plan was made")
	}
	q.err = &history.Error{Kind: history.ErrUnreachable, Message: "no connection"}
	h.states = map[types.NamespacedName]*forecastState{} // a new leader
	for range 20 {
		h.step(t, "fc", time.Minute)
	}
	fc := h.get(t, "fc")
	if fc.Status.Plan == nil || !fc.Status.Plan.ComputedAt.Equal(&before.ComputedAt) {
		t.Fatalf("the peaks alone replaced a plan that rests on a forecast: %+v", fc.Status.Plan)
	}
	if !meta.IsStatusConditionTrue(fc.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("the plan is served through the outage, so the Forecast should stay ready: %+v", fc.Status.Conditions)
	}
}

// A plan is a function of the series, not of how long the leader has been there.
func TestRestartMakesTheSamePlan(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.2)}}, coarse(nil), deployment())
	for range 9 * 12 { // across a fit, and well into the span after it
		h.step(t, "fc", 5*time.Minute)
	}
	state := h.states[named("fc")]
	lived := state.step.Model.Outlook()
	h.states = map[types.NamespacedName]*forecastState{} // a new leader
	h.step(t, "fc", 0)
	anew := h.states[named("fc")].step.Model.Outlook()
	if !lived.Start.Equal(anew.Start) {
		t.Fatalf("forecasts from %s and %s cannot be compared", lived.Start, anew.Start)
	}
	for i := range lived.Cover {
		if lived.Cover[i] != anew.Cover[i] {
			t.Fatalf("step %d: %v under the old leader and %v under the new one", i, lived.Cover[i], anew.Cover[i])
		}
	}
}

func TestOutlivedPlanIsNotCalledServed(t *testing.T) {
	q := &trace{demand: daily(0.05)}
	h := newHouse(t, map[string]*trace{"q": q}, shortForecast("fc", "q"), deployment())
	h.step(t, "fc", time.Minute)
	q.err = &history.Error{Kind: history.ErrUnreachable, Message: "no connection"}
	h.step(t, "fc", 25*time.Hour)
	h.step(t, "fc", time.Minute)
	fc := h.get(t, "fc")
	if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionServing); c == nil || c.Status != "False" || c.Reason != "PlanExpired" {
		t.Errorf("Serving = %+v, want False with PlanExpired", c)
	}
	if meta.IsStatusConditionTrue(fc.Status.Conditions, v1alpha1.ConditionReady) {
		t.Error("a Forecast whose plan is outlived is called ready")
	}
}

func TestPausedIsReady(t *testing.T) {
	fc := shortForecast("fc", "q")
	fc.Spec.Mode = v1alpha1.ForecastPaused
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, fc, deployment())
	h.step(t, "fc", time.Minute)
	if c := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != "True" || c.Reason != "Paused" {
		t.Errorf("Ready = %+v, want True with Paused: it does what was asked", c)
	}
}

// hung is a reader that answers when the test ends.
type hung struct{}

func (hung) Read(ctx context.Context) (history.Series, int, error) {
	<-ctx.Done()
	return history.Series{}, 0, ctx.Err()
}

func TestNothingIsRetriedTenTimesASecond(t *testing.T) {
	fc := shortForecast("fc", "q")
	key := types.NamespacedName{Namespace: "shop", Name: "fc"}
	for name, tc := range map[string]struct {
		reason string
		open   func(string, planner.Settings) (seriesReader, error)
	}{
		"source unknown": {
			reason: "only a person can mend it",
			open: func(string, planner.Settings) (seriesReader, error) {
				return nil, &history.Error{Kind: history.ErrSourceUnknown, Message: "no such source"}
			},
		},
		"never answers": {
			reason: "a read that lasts longer than a step has its own end",
			open:   func(string, planner.Settings) (seriesReader, error) { return hung{}, nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil, fc.DeepCopy(), deployment())
			h.open = tc.open
			var got ctrl.Result
			for range 3 {
				h.clock.SetTime(h.clock.Now().Add(2 * time.Minute))
				if s := h.states[key]; s != nil {
					s.readErr = context.DeadlineExceeded // as after a first read that timed out
				}
				var err error
				if got, err = h.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
					t.Fatal(err)
				}
			}
			if got.RequeueAfter < 10*time.Second {
				t.Errorf("comes back after %s, want at least 10s: %s", got.RequeueAfter, tc.reason)
			}
		})
	}
}

func TestFetcherLeavesOldQueuesJobsAlone(t *testing.T) {
	f := newFetcher()
	key := types.NamespacedName{Namespace: "shop", Name: "fc"}
	f.request(key, "old", hung{})
	f.forget(key)
	f.request(key, "new", hung{})
	f.ctx, f.done = t.Context(), nil
	ended := make(chan struct{})
	go func() { f.read("old", key); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the old source's worker took the new source's reader, which is for one worker at a time")
	}
	if !f.busy(key) {
		t.Error("the new job is gone")
	}
}

// While no new plan can be made, Ready says that the last one is served, and with what is known why no new one comes: it is not observed
// demand that is served.
func TestReadyWhileTheLastPlanIsServed(t *testing.T) {
	q := &trace{demand: daily(0.05)}
	h := newHouse(t, map[string]*trace{"q": q}, shortForecast("fc", "q"), deployment())
	h.step(t, "fc", time.Minute)
	q.err = &history.Error{Kind: history.ErrUnreachable, Message: "no connection"}
	h.states = map[types.NamespacedName]*forecastState{} // a new leader
	for range 3 {
		h.step(t, "fc", time.Minute)
	}
	fc := h.get(t, "fc")
	if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionServing); c == nil || c.Reason != reasonLastPlan {
		t.Errorf("Serving = %+v, want %s", c, reasonLastPlan)
	}
	if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != "True" || c.Reason != "ServingPlan" {
		t.Errorf("Ready = %+v, want ServingPlan", c)
	}
	// The reason is that of the time before, so that the message costs no write; with one it says what is going on.
	fc.Spec.LeadTime.Percentile, fc.Generation = 95, 2
	if err := h.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	h.step(t, "fc", time.Minute)
	c := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionReady)
	if !contains(c.Message, "the last plan is served until", "no connection") {
		t.Errorf("Ready says %q", c.Message)
	}
}

// A plan without a forecast has no more than observed demand and peaks to serve, whoever leads.
func TestReadyOverThePlanThatIsKept(t *testing.T) {
	type condition struct {
		kind   string
		status metav1.ConditionStatus
		reason string
	}
	waiting := []condition{{v1alpha1.ConditionHistoryReady, "Unknown", "Reading"}, {v1alpha1.ConditionSkilled, "Unknown", "NoHistory"}}
	lastPlan := append(slices.Clone(waiting), condition{v1alpha1.ConditionServing, "True", reasonLastPlan})
	dropped := condition{v1alpha1.ConditionObserved, "False", reasonFloorDropped}
	for name, tc := range map[string]struct {
		reason     string
		conditions []condition
		last       planner.Basis
		want       string
	}{
		"Forecast":        {"the plan is what is served", lastPlan, planner.BasisForecast, "True ServingPlan"},
		"ForecastDropped": {"a plan holds without a floor", append(slices.Clone(lastPlan), dropped), planner.BasisForecast, "True ServingPlan"},
		"Peaks":           {"observed demand is what is served", lastPlan, planner.BasisPeaks, "True ServingObserved"},
		"PeaksDropped":    {"nothing is left to serve", append(slices.Clone(lastPlan), dropped), planner.BasisPeaks, "False FloorDropped"},
		"FirstPlan":       {"peaks are planned while history is read", append(slices.Clone(waiting), condition{v1alpha1.ConditionServing, "True", "PlanPublished"}), planner.BasisPeaks, "True ServingObserved"},
		"NoPlan":          {"nothing was ever planned", append(slices.Clone(waiting), condition{v1alpha1.ConditionServing, "Unknown", "NoPlan"}), planner.BasisNone, "False Reading"},
		"Expired":         {"the plan has been outlived", append(slices.Clone(waiting), condition{v1alpha1.ConditionServing, "False", "PlanExpired"}), planner.BasisForecast, "False PlanExpired"},
	} {
		t.Run(name, func(t *testing.T) {
			var v verdicts
			for _, c := range tc.conditions {
				v.set(c.kind, c.status, c.reason, "because")
			}
			v.ready(v1alpha1.ForecastActive, tc.last)
			c := v.get(v1alpha1.ConditionReady)
			if got := string(c.Status) + " " + c.Reason; got != tc.want {
				t.Errorf("Ready is %s (%s), want %s: %s", got, c.Message, tc.want, tc.reason)
			}
		})
	}
}
