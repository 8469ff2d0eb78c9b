package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
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

// What the source says about its answers is in the condition HistoryReady, and in metrics.
func TestNotesOfTheSource(t *testing.T) {
	cases := map[string]struct {
		notes    history.Notes
		reason   string
		parts    []string
		partial  float64
		warnings float64
	}{
		"nothing": {history.Notes{}, "Read", nil, 0, 0},
		"in part": {
			history.Notes{Partial: 5, Warnings: []string{"store-2 is down"}},
			"ReadInPart",
			[]string{"5 steps", "store-2 is down", "read again"},
			5, 1,
		},
		"a warning": {
			history.Notes{Warnings: []string{"PromQL info: no counter"}},
			"ReadWithWarnings",
			[]string{"no counter"},
			0, 1,
		},
		"coarse": {
			history.Notes{Coarse: &history.Coarse{From: epoch, To: epoch.Add(time.Hour), Every: 5 * time.Minute}},
			"ReadCoarse",
			[]string{"resolution of 5m"},
			0, 0,
		},
		"absurd samples": {history.Notes{TooHigh: 1}, "Read", []string{"above 1e+15, and are gaps: 1"}, 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			histories := dailyHistory(0.05)
			histories["q"].notes = c.notes
			f := newFixture(t, histories, shortForecast("fc", "q"), deployment())
			f.step(t, "fc", time.Minute)
			got := f.condition(t, "fc", v1alpha1.ConditionHistoryReady)
			if got.Status != "True" || got.Reason != c.reason || !contains(got.Message, c.parts...) {
				t.Errorf("HistoryReady = %+v, want %s with %q", got, c.reason, c.parts)
			}
			key := named("fc")
			partial := testutil.ToFloat64(f.metrics.partial.WithLabelValues(key.Namespace, key.Name))
			warnings := testutil.ToFloat64(f.metrics.warnings.WithLabelValues(key.Namespace, key.Name))
			if partial != c.partial || warnings != c.warnings {
				t.Errorf("metrics: %v steps in part and %v warnings", partial, warnings)
			}
		})
	}
}
