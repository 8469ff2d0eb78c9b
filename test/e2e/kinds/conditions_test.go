package kinds_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/harness"
)

// tenSeries is a query that returns ten series.
func tenSeries() string {
	var one []string
	for i := range 10 {
		one = append(one, fmt.Sprintf(`label_replace(vector(1), "i", "%d", "", "")`, i))
	}
	return strings.Join(one, " or ")
}

// forecast returns a Forecast of a query on a source.
func forecast(ns, name, source, query string) string {
	return fmt.Sprintf(`
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: %s, namespace: %s}
spec:
  demand:
    prometheus: {source: %s, query: '%s'}
    resolution: 2s
    history: 5m
    settle: 1s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  leadTime: {mode: Learned, default: 10s}
  horizon: 5m
`, name, ns, source, query)
}

func TestConditionsSayWhatToChange(t *testing.T) {
	t.Parallel() // waits most of the time
	ns := namespace(t)
	cases := map[string]struct {
		source, query string
		condition     string
		reason        string
		says          []string
	}{
		"one-series": {sourceGood, "vector(7)", "HistoryReady", "Read", nil},
		"ten-series": {sourceGood, tenSeries(), "HistoryReady", "SeveralSeries", []string{"several series", "sum("}},
		"no-series": {
			sourceGood, "nothing_of_this_name", "HistoryReady", "NoSeries",
			[]string{"check the metric's name"},
		},
		"not-a-number": {sourceGood, "vector(0) / vector(0)", "HistoryReady", "NotFinite", []string{"NaN", "guard"}},
		"not-promql": {
			sourceGood, "sum(rate(requests_total[1m])", "HistoryReady", "BadQuery",
			[]string{"parse", "unclosed left parenthesis"},
		},
		"unauthorized":  {source401, "up", "HistoryReady", "Unauthorized", []string{"401", "httpClientConfig"}},
		"unavailable":   {source503, "up", "HistoryReady", "Unavailable", []string{"503", "check"}},
		"web-page":      {sourceHTML, "up", "HistoryReady", "NotPrometheus", []string{"html", "give the address"}},
		"never-answers": {sourceSilent, "up", "HistoryReady", "Timeout", []string{"no answer", "check"}},
		"unknown-source": {
			"elsewhere", "up", "HistoryReady", "SourceUnknown",
			[]string{"elsewhere", "spec.demand.prometheus.source"},
		},
	}
	yaml := deployment(ns)
	for name, c := range cases {
		yaml += forecast(ns, name, c.source, c.query)
	}
	if err := shared.Apply(t.Context(), yaml); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fc, err := harness.AwaitForecast(t.Context(), shared, ns, name, timeout, func(f *harness.Forecast) bool {
				return f.Condition(c.condition).Reason == c.reason && (c.reason != "Read" || harness.Ready(f))
			})
			if err != nil {
				t.Fatal(err)
			}
			got := fc.Condition(c.condition)
			for _, part := range c.says {
				if !strings.Contains(strings.ToLower(got.Message), strings.ToLower(part)) {
					t.Errorf("message %q does not say %q", got.Message, part)
				}
			}
			// A failure of the observed floor is reported, too, in the same words.
			if floor := fc.Condition("Observed"); c.reason != "Read" && c.reason != "NoSeries" &&
				floor.Status == metav1.ConditionTrue {
				t.Errorf("Observed = %+v, while nothing can be polled", floor)
			}
			if bad := c.reason != "Read"; bad == (fc.Condition("Ready").Status == metav1.ConditionTrue) {
				t.Errorf("Ready = %+v, while %s is %s", fc.Condition("Ready"), c.condition, c.reason)
			}
		})
	}
	// A good Forecast beside the bad ones is served all the time, and its plan is renewed.
	before, err := harness.GetForecast(t.Context(), shared, ns, "one-series")
	if err != nil {
		t.Fatal(err)
	}
	_, err = harness.AwaitForecast(t.Context(), shared, ns, "one-series", timeout, func(f *harness.Forecast) bool {
		return f.Status.Plan != nil &&
			(before.Status.Plan == nil || f.Status.Plan.ComputedAt.After(before.Status.Plan.ComputedAt.Time))
	})
	if err != nil {
		t.Errorf("bad Forecasts keep a good one from its plan: %v", err)
	}
	awaitMetric(t, ns, "one-series", "7 or more", func(v float64) bool { return v >= 7 })
	if _, err := harness.ExternalMetric(t.Context(), shared, ns, "never-answers"); err == nil {
		t.Error("a Forecast whose demand is unknown serves a number")
	}
}

func TestTargetAndHPAConditions(t *testing.T) {
	ns := namespace(t)
	yaml := forecast(ns, "homeless", sourceGood, "vector(1)") + deployment(ns)
	yaml = strings.Replace(yaml, "name: model}\n  leadTime", "name: nobody}\n  leadTime", 1)
	yaml += forecast(ns, "by-value", sourceGood, "vector(1)") + `
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: by-value, namespace: ` + ns + `}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  minReplicas: 1
  maxReplicas: 2
  metrics:
  - type: External
    external: {metric: {name: by-value}, target: {type: Value, value: "1"}}
`
	if err := shared.Apply(t.Context(), yaml); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ condition, reason, says string }{
		"homeless": {
			"LeadTimeLearned", "TargetNotFound",
			"nobody does not exist, or has no scale subresource: create it or correct spec.targetRef",
		},
		"by-value": {"HPALinted", "TargetTypeValue", "AverageValue"},
	} {
		fc, err := harness.AwaitForecast(t.Context(), shared, ns, name, timeout, func(f *harness.Forecast) bool {
			return f.Condition(want.condition).Reason == want.reason
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fc.Condition(want.condition).Message; !strings.Contains(got, want.says) {
			t.Errorf("%s: message %q does not say %q", name, got, want.says)
		}
	}
}

// launch returns a service that has peaks and no history.
func launch(ns string) string {
	return deployment(ns) + `
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: launch, namespace: ` + ns + `}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  capacityPerReplica: "5"
  horizon: 1h
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: always, namespace: ` + ns + `}
spec:
  forecastRefs: [{name: launch}]
  timeZone: Asia/Shanghai
  windows:
  - {name: noon, schedule: "* * * * *", duration: 2m, demand: {atLeast: "12.5"}}
`
}

// A Forecast that exists before its PeakSchedule serves nothing, rather than 0, and its condition
// says what is missing.
func TestForecastBeforeItsPeaks(t *testing.T) {
	ns := namespace(t)
	yaml := launch(ns)
	peaks := strings.LastIndex(yaml, "---\n")
	if err := shared.Apply(t.Context(), yaml[:peaks]); err != nil {
		t.Fatal(err)
	}
	if _, err := harness.AwaitForecast(t.Context(), shared, ns, "launch", timeout, func(f *harness.Forecast) bool {
		return f.Condition("Ready").Reason == "NoPeaks"
	}); err != nil {
		t.Fatal(err)
	}
	if v, err := harness.ExternalMetric(t.Context(), shared, ns, "launch"); err == nil {
		t.Errorf("external metric = %v before there is anything to plan with, want an error", v)
	}
	if err := shared.Apply(t.Context(), yaml[peaks:]); err != nil {
		t.Fatal(err)
	}
	awaitMetric(t, ns, "launch", "12.5", func(v float64) bool { return v == 12.5 })
}

func TestPeaksAloneAreServed(t *testing.T) {
	ns := namespace(t)
	if err := shared.Apply(t.Context(), launch(ns)); err != nil {
		t.Fatal(err)
	}
	if out, err := shared.Kubectl(t.Context(), nil, "-n", ns, "wait", "--for=condition=Ready",
		"--timeout="+timeout.String(), "forecast/launch", "peakschedule/always"); err != nil {
		t.Fatalf("kubectl wait: %v\n%s", err, out)
	}
	awaitMetric(t, ns, "launch", "12.5", func(v float64) bool { return v == 12.5 })
	out, err := shared.Kubectl(t.Context(), nil, "get", "--raw",
		"/apis/custom.metrics.k8s.io/v1beta1/namespaces/"+ns+"/forecasts.headstart.dev/launch/demand")
	if err != nil || !strings.Contains(out, "12500m") {
		t.Errorf("object metric: %v\n%s", err, out)
	}
	for kind, want := range map[string][]string{
		"forecast": {"READY", "launch", "True", "12500m"},
		"peaks":    {"always", "True", "noon", "+08:00"},
	} {
		out, err := shared.Kubectl(t.Context(), nil, "-n", ns, "get", kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(out, part) {
				t.Errorf("kubectl get %s does not show %q:\n%s", kind, part, out)
			}
		}
	}
}
