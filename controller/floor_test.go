package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
)

func TestDroppedFloorIsSaid(t *testing.T) {
	refused := errors.New(`source "default": Prometheus refuses the credentials: check the source's httpClientConfig`)
	cases := map[string]struct {
		reason     string
		mode       v1alpha1.ForecastMode
		last       values.LastPoll
		want       metav1.ConditionStatus
		says       []string
		wantsReady metav1.ConditionStatus
	}{
		"Fresh":        {"nothing is wrong", "", values.LastPoll{SucceededAt: epoch}, "True", nil, "True"},
		"OneMissed":    {"one failed poll leaves the floor", "", values.LastPoll{SucceededAt: epoch, Err: refused}, "True", nil, "True"},
		"Dropped":      {"three are too many; the plan is still served", "", values.LastPoll{SucceededAt: epoch.Add(-time.Hour), Err: refused}, "False", []string{"2026-03-01T23:00:00Z", "1m30s", "httpClientConfig"}, "True"},
		"NeverPolled":  {"an error from the first", "", values.LastPoll{Err: refused}, "False", []string{"httpClientConfig"}, "True"},
		"NotYet":       {"nothing is known yet", "", values.LastPoll{}, "Unknown", nil, "True"},
		"DryRun":       {"observed demand is all that a dry run serves", v1alpha1.ForecastDryRun, values.LastPoll{Err: refused}, "False", []string{"httpClientConfig"}, "False"},
		"Paused":       {"and all that a pause does", v1alpha1.ForecastPaused, values.LastPoll{Err: refused}, "False", []string{"httpClientConfig"}, "False"},
		"DryRunPolled": {"a dry run with its floor is fine", v1alpha1.ForecastDryRun, values.LastPoll{SucceededAt: epoch}, "True", nil, "True"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fc := shortForecast("fc", "q")
			fc.Spec.Mode = c.mode
			h := newHouse(t, map[string]*trace{"q": {demand: daily(0.05)}}, fc, deployment())
			h.demand = demandStub{last: func() values.LastPoll { return c.last }}
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
