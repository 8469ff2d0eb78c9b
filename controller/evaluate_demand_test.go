package controller

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
)

func TestObservedCondition(t *testing.T) {
	denied := errors.New(`source "default": Prometheus refuses the credentials: check the source's httpClientConfig`)
	hourAgo := epoch.Add(-time.Hour)
	cases := map[string]struct {
		reason       string
		mode         v1alpha1.ForecastMode
		last         values.LastPoll
		want         metav1.ConditionStatus
		messageParts []string
		ready        metav1.ConditionStatus
	}{
		"Fresh": {
			"the last poll succeeded",
			"",
			values.LastPoll{SucceededAt: epoch},
			"True", nil, "True",
		},
		"OneMissed": {
			"one failed poll does not matter yet",
			"",
			values.LastPoll{SucceededAt: epoch, Err: denied},
			"True", nil, "True",
		},
		"Dropped": {
			"three failed polls are too many, but the plan is still served",
			"",
			values.LastPoll{SucceededAt: hourAgo, Err: denied},
			"False",
			[]string{"2026-03-01T23:00:00Z", "1m30s", "httpClientConfig"},
			"True",
		},
		"NeverPolled": {
			"no poll has succeeded",
			"",
			values.LastPoll{Err: denied},
			"False",
			[]string{"httpClientConfig"},
			"True",
		},
		"NotYet": {"no poll has ended yet", "", values.LastPoll{}, "Unknown", nil, "True"},
		"DryRun": {
			"a dry run serves only observed demand",
			v1alpha1.ForecastDryRun,
			values.LastPoll{Err: denied},
			"False",
			[]string{"httpClientConfig"},
			"False",
		},
		"Paused": {
			"mode Paused serves only observed demand",
			v1alpha1.ForecastPaused,
			values.LastPoll{Err: denied},
			"False",
			[]string{"httpClientConfig"},
			"False",
		},
		"DryRunPolled": {
			"a dry run that knows observed demand is Ready",
			v1alpha1.ForecastDryRun,
			values.LastPoll{SucceededAt: epoch},
			"True", nil, "True",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fc := shortForecast("fc", "q")
			fc.Spec.Mode = c.mode
			f := newFixture(t, dailyHistory(0.05), fc, deployment())
			f.demand = demandStub{last: func() values.LastPoll { return c.last }}
			f.step(t, "fc", time.Minute)
			got := f.condition(t, "fc", v1alpha1.ConditionObserved)
			if got.Status != c.want || !contains(got.Message, c.messageParts...) {
				t.Errorf("Observed = %+v, want %s with %q: %s", got, c.want, c.messageParts, c.reason)
			}
			if ready := f.condition(t, "fc", v1alpha1.ConditionReady); ready.Status != c.ready {
				t.Errorf("Ready = %+v, want %s: %s", ready, c.ready, c.reason)
			}
		})
	}
}
