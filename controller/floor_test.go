package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"headstart.dev/headstart/api/v1alpha1"
)

func TestDroppedFloorIsSaid(t *testing.T) {
	refused := errors.New(`source "default": Prometheus refuses the credentials: check the source's httpClientConfig`)
	cases := map[string]struct {
		reason     string
		mode       v1alpha1.ForecastMode
		polled     floor
		want       metav1.ConditionStatus
		says       []string
		wantsReady metav1.ConditionStatus
	}{
		"Fresh":        {"nothing is wrong", "", floor{at: epoch}, "True", nil, "True"},
		"OneMissed":    {"one failed poll leaves the floor", "", floor{at: epoch, err: refused}, "True", nil, "True"},
		"Dropped":      {"three are too many; the plan is still served", "", floor{at: epoch.Add(-time.Hour), err: refused}, "False", []string{"2026-03-01T23:00:00Z", "1m30s", "httpClientConfig"}, "True"},
		"NeverPolled":  {"an error from the first", "", floor{err: refused}, "False", []string{"httpClientConfig"}, "True"},
		"NotYet":       {"nothing is known yet", "", floor{at: time.Time{}, err: nil}, "Unknown", nil, "True"},
		"DryRun":       {"observed demand is all that a dry run serves", v1alpha1.ForecastDryRun, floor{err: refused}, "False", []string{"httpClientConfig"}, "False"},
		"Paused":       {"and all that a pause does", v1alpha1.ForecastPaused, floor{err: refused}, "False", []string{"httpClientConfig"}, "False"},
		"DryRunPolled": {"a dry run with its floor is fine", v1alpha1.ForecastDryRun, floor{at: epoch}, "True", nil, "True"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fc := shortForecast("fc", "q")
			fc.Spec.Mode = c.mode
			h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, fc, deployment())
			h.floor = func(types.NamespacedName) floor { return c.polled }
			h.step(t, "fc", time.Minute)
			got := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionObserved)
			if got == nil || got.Status != c.want {
				t.Fatalf("%s: Observed = %+v, want %s", c.reason, got, c.want)
			}
			for _, part := range c.says {
				if !strings.Contains(got.Message, part) {
					t.Errorf("message %q does not say %q", got.Message, part)
				}
			}
			if ready := meta.FindStatusCondition(h.get(t, "fc").Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Status != c.wantsReady {
				t.Errorf("%s: Ready = %+v, want %s", c.reason, ready, c.wantsReady)
			}
		})
	}
}

func TestObserverTellsOfFloors(t *testing.T) {
	values := map[string]float64{"q": 5}
	o := polled(values)
	c := o.clock.(*clocktesting.FakeClock)
	key, q := named("fc"), query{expr: "q", source: "default"}
	o.follow(key, q)
	news := func() int {
		n := 0
		for len(o.changed) > 0 {
			<-o.changed
			n++
		}
		return n
	}
	poll := func(after time.Duration) int {
		c.Step(after)
		o.poll(t.Context(), key, q)
		return news()
	}
	if n := poll(0); n != 0 {
		t.Errorf("told %d times of a good first poll, want none", n)
	}
	delete(values, "q")
	told := 0
	for range 10 {
		told += poll(30 * time.Second)
	}
	if told != 1 {
		t.Errorf("told %d times of one dropped floor, want once", told)
	}
	expect := func(dropped string) {
		t.Helper()
		text := "# HELP headstart_forecast_floor_dropped 1 while observed demand is older than three polls, or was never polled, and does not hold the served metric of this replica up; else 0.\n" +
			"# TYPE headstart_forecast_floor_dropped gauge\nheadstart_forecast_floor_dropped{forecast=\"fc\",namespace=\"shop\"} " + dropped + "\n"
		if err := testutil.CollectAndCompare(o, strings.NewReader(text), "headstart_forecast_floor_dropped"); err != nil {
			t.Error(err)
		}
	}
	expect("1")
	values["q"] = 5
	if n := poll(30 * time.Second); n != 1 {
		t.Errorf("told %d times that the floor is back, want once", n)
	}
	expect("0")
}
