package controller

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

func TestAccuracyGoesOnUnderANewLeader(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05), fiveMinuteForecast(), deployment())
	f.step(t, "fc", 5*time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionDrifting, "Unknown", "TooFewWindows")
	for range 400 {
		f.step(t, "fc", 5*time.Minute)
	}
	before := f.get(t, "fc").Status.Accuracy
	if before == nil || before.Asked != "0.99" || before.LastDay == nil || before.LastWeek == nil {
		t.Fatalf("accuracy = %+v, want figures of the day and the week", before)
	}
	if n := before.LastWeek.Windows; n < 350 || n > 401 {
		t.Errorf("%d windows were scored in 401 steps, want each window that is over, once", n)
	}
	day := before.LastDay
	for name, text := range map[string]string{"coverage": day.Coverage, "skill": day.Skill, "bias": day.Bias} {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v < -0.5 || v > 1 || name == "coverage" && v < 0.9 {
			t.Errorf("%s = %q, want that of a good forecast", name, text)
		}
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionDrifting, "False", "LevelHolds")
	if got := gaugeValue(t, f.metrics.accuracy.WithLabelValues("shop", "fc", "asked", "day")); got != 0.99 {
		t.Errorf("headstart_forecast_accuracy{figure=asked} = %v, want 0.99", got)
	}
	f.changeLeader()
	for range 12 {
		f.step(t, "fc", 5*time.Minute)
	}
	after := f.get(t, "fc").Status.Accuracy
	if n := after.LastWeek.Windows - before.LastWeek.Windows; n < 1 || n > 17 {
		t.Errorf("%d windows were added in twelve steps under a new leader, want 1 to 17: "+
			"it continues from the record, and scores nothing twice", n)
	}
}

func TestMissedLevelIsDrifting(t *testing.T) {
	capped := fiveMinuteForecast()
	capped.Spec.Bounds.Max = new(resource.MustParse("60"))
	f := newFixture(t, dailyHistory(0.05), capped, deployment())
	drifting := f.condition(t, "fc", v1alpha1.ConditionDrifting)
	for range 4 * 288 {
		f.step(t, "fc", 5*time.Minute)
		if drifting = f.condition(t, "fc", v1alpha1.ConditionDrifting); drifting.Status == "True" {
			break
		}
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionDrifting, "True", "LevelMissed")
	if !contains(drifting.Message, "99.0 %", "bounds.max", "every 8h24m of data", "p = ") {
		t.Fatalf("Drifting has the message %q, want what is required and covered, and what to check", drifting.Message)
	}
	f.wantReady(t, "fc") // A plan that drifts is still served.
	warned := false
	for len(f.events.Events) > 0 {
		e := <-f.events.Events
		warned = warned || contains(e, "Warning", "LevelMissed")
	}
	if !warned {
		t.Error("there is no Warning with LevelMissed")
	}
}

// The plan of an outage is compared with the demand of that time, once it can be read.
func TestOutageIsScoredAfterwards(t *testing.T) {
	histories := dailyHistory(0.05)
	f := newFixture(t, histories, fiveMinuteForecast(), deployment())
	for range 30 {
		f.step(t, "fc", 5*time.Minute)
	}
	histories["q"].err = errUnreachable()
	f.step(t, "fc", 10*time.Hour) // There is no evaluation for ten hours.
	histories["q"].err = nil
	for range 24 {
		f.step(t, "fc", 5*time.Minute)
	}
	if n := f.get(t, "fc").Status.Accuracy.LastWeek.Windows; n < 30+120 || n > 30+120+25 {
		t.Errorf("%d windows were scored in 54 steps and an outage of 120, want nearly all", n)
	}
}
