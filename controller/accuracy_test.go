package controller

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

// coarse is a Forecast in steps of five minutes, so that days go by quickly.
func coarse(change func(*v1alpha1.ForecastSpec)) *v1alpha1.Forecast {
	fc := shortForecast("fc", "q")
	fc.Spec.Demand.Resolution = "5m"
	fc.Spec.Demand.History = "8d"
	if change != nil {
		change(&fc.Spec)
	}
	return fc
}

func drifting(t *testing.T, h *house) (status, reason, message string) {
	t.Helper()
	c := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionDrifting)
	if c == nil {
		return "", "", ""
	}
	return string(c.Status), c.Reason, c.Message
}

func TestAccuracyIsKeptGoingForward(t *testing.T) {
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, coarse(nil), deployment())
	h.step(t, "fc", 5*time.Minute)
	if status, reason, _ := drifting(t, h); status != "Unknown" || reason != "TooFewWindows" {
		t.Errorf("Drifting = %s with %s after one step, want Unknown with TooFewWindows", status, reason)
	}
	for range 400 {
		h.step(t, "fc", 5*time.Minute)
	}
	before := h.get(t, "fc").Status.Accuracy
	if before == nil || before.Asked != "0.99" || before.LastDay == nil || before.LastWeek == nil {
		t.Fatalf("accuracy = %+v, want figures of the day and the week", before)
	}
	if n := before.LastWeek.Windows; n < 350 || n > 401 {
		t.Errorf("%d windows were scored in 401 steps, want all whose windows are over, once", n)
	}
	for name, text := range map[string]string{"coverage": before.LastDay.Coverage, "skill": before.LastDay.Skill, "bias": before.LastDay.Bias} {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v < -0.5 || v > 1 || name == "coverage" && v < 0.9 {
			t.Errorf("%s = %q, want that of a forecast of an easy series", name, text)
		}
	}
	if status, reason, _ := drifting(t, h); status != "False" || reason != "LevelHolds" {
		t.Errorf("Drifting = %s with %s, want False with LevelHolds", status, reason)
	}
	if got := gaugeValue(t, h.metrics.accuracy.WithLabelValues("shop", "fc", "asked", "day")); got != 0.99 {
		t.Errorf("headstart_forecast_accuracy says that %v is asked, want 0.99", got)
	}
	h.states = map[types.NamespacedName]*forecastState{} // a new leader
	for range 12 {
		h.step(t, "fc", 5*time.Minute)
	}
	after := h.get(t, "fc").Status.Accuracy
	if n := after.LastWeek.Windows - before.LastWeek.Windows; n < 1 || n > 17 {
		t.Errorf("%d windows more after twelve steps under a new leader, want a few: the record goes on, and nothing counts twice", n)
	}
}

func TestMissedLevelIsDrifting(t *testing.T) {
	capped := coarse(func(s *v1alpha1.ForecastSpec) { s.Bounds.Max = new(resource.MustParse("60")) })
	h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, capped, deployment())
	var status, reason, message string
	for range 4 * 288 {
		h.step(t, "fc", 5*time.Minute)
		if status, reason, message = drifting(t, h); status == "True" {
			break
		}
	}
	if status != "True" || reason != "LevelMissed" || !contains(message, "99.0 %", "bounds.max", "every 8h24m of data", "p = ") {
		t.Fatalf("Drifting = %s with %s: %q; want True with what was asked, what came of it, and what to look at", status, reason, message)
	}
	if !meta.IsStatusConditionTrue(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionReady) {
		t.Error("a plan that drifts is still served: the Forecast should stay ready")
	}
	warned := false
	for len(h.events.Events) > 0 {
		e := <-h.events.Events
		warned = warned || contains(e, "Warning", "LevelMissed")
	}
	if !warned {
		t.Error("no warning told of it")
	}
}

// What the plan said during an outage is held against the demand of that time, once it can be read.
func TestOutageIsScoredAfterwards(t *testing.T) {
	q := &trace{demand: daily(0.05)}
	h := newHouse(t, map[string]*trace{"q": q}, coarse(nil), deployment())
	for range 30 {
		h.step(t, "fc", 5*time.Minute)
	}
	q.err = &history.Error{Kind: history.ErrUnreachable, Message: "no connection"}
	h.step(t, "fc", 10*time.Hour) // nobody even looked
	q.err = nil
	for range 24 {
		h.step(t, "fc", 5*time.Minute)
	}
	if n := h.get(t, "fc").Status.Accuracy.LastWeek.Windows; n < 30+120 || n > 30+120+25 {
		t.Errorf("%d windows were scored in 54 steps and an outage of 120, want nearly all", n)
	}
}
