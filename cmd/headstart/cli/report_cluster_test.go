package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/planner"
)

// webForecast returns a Forecast that sets every field that a report uses.
func webForecast() *v1alpha1.Forecast {
	return &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"tier": "front"}},
		Spec: v1alpha1.ForecastSpec{
			Demand: &v1alpha1.DemandSource{
				Prometheus: v1alpha1.PrometheusQuery{Query: "sum(rate(x[2m]))"}, Resolution: "5m", History: "14d",
			},
			CapacityPerReplica: new(resource.MustParse("2500m")),
			ProvisionFor:       v1alpha1.ProvisionFor{ServiceLevel: new(v1alpha1.Decimal("0.95"))},
			Horizon:            "12h",
			Seasonality: v1alpha1.Seasonality{
				TimeZone: "Asia/Shanghai", Periods: []v1alpha1.Duration{"12h"},
				Calendars: []string{"holidays", "broken", "gone"},
			},
			Bounds: v1alpha1.Bounds{Min: new(resource.MustParse("3")), Max: new(resource.MustParse("400"))},
		},
		Status: v1alpha1.ForecastStatus{
			LeadTime: &v1alpha1.LeadTimeStatus{Value: "7m", Source: v1alpha1.LeadSourceLearned},
		},
	}
}

// noonPeak returns a PeakSchedule that applies to the Forecasts that spec names or selects.
func noonPeak(name string, spec v1alpha1.PeakScheduleSpec) *v1alpha1.PeakSchedule {
	spec.TimeZone = "UTC"
	spec.Windows = []v1alpha1.PeakWindow{{
		Name: "noon", Schedule: "0 12 * * *", Duration: "1h",
		Demand: v1alpha1.PeakDemand{AtLeast: new(resource.MustParse("100"))},
	}}
	return &v1alpha1.PeakSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: spec}
}

// dayCalendar returns a Calendar with one day.
func dayCalendar(name, date string) *v1alpha1.Calendar {
	return &v1alpha1.Calendar{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "x", Dates: []string{date}}}},
	}
}

// webHPA returns an HPA that reads webForecast and adds one pod a minute.
func webHPA() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			MinReplicas: new(int32(2)), MaxReplicas: 25,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ExternalMetricSourceType,
				External: &autoscalingv2.ExternalMetricSource{
					Metric: autoscalingv2.MetricIdentifier{Name: "web"},
					Target: autoscalingv2.MetricTarget{
						Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse("2500m")),
					},
				},
			}},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
				ScaleUp: &autoscalingv2.HPAScalingRules{Policies: []autoscalingv2.HPAScalingPolicy{
					{Type: autoscalingv2.PodsScalingPolicy, Value: 1, PeriodSeconds: 60},
				}},
				ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(60))},
			},
		},
	}
}

// webCluster returns a cluster with a Forecast, its HPA, and PeakSchedules and Calendars of which
// some are not valid or do not apply.
func webCluster() client.Client {
	selecting := func(tier string) v1alpha1.PeakScheduleSpec {
		return v1alpha1.PeakScheduleSpec{
			ForecastSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": tier}},
		}
	}
	return fake.NewClientBuilder().WithScheme(controller.NewScheme()).WithObjects(
		webForecast(), webHPA(),
		noonPeak("named", v1alpha1.PeakScheduleSpec{ForecastRefs: []v1alpha1.ForecastReference{{Name: "web"}}}),
		noonPeak("selected", selecting("front")),
		noonPeak("other", selecting("back")),
		noonPeak("bad", v1alpha1.PeakScheduleSpec{ForecastSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Near"}},
		}}),
		dayCalendar("holidays", "2026-05-01"), dayCalendar("broken", "2026-02-31"), dayCalendar("unrelated", "never"),
	).Build()
}

// The settings of a report are those of the Forecast and its HPA, except for flags that were given.
func TestReportFromForecast(t *testing.T) {
	o := reportOptions{timeZone: "UTC", in: readFrom("http://127.0.0.1:9090")}
	o.lead = promDuration(time.Hour)
	onlyStep := func(flag string) bool { return flag == "step" }
	if _, err := o.fromForecast(t.Context(), webCluster(), webForecast(), onlyStep); err != nil {
		t.Fatal(err)
	}
	if o.in.query != "sum(rate(x[2m]))" || o.in.step != 0 || time.Duration(o.in.history) != 14*24*time.Hour ||
		time.Duration(o.horizon) != 12*time.Hour || time.Duration(o.lead) != 7*time.Minute ||
		o.capacity != 2.5 || o.timeZone != "Asia/Shanghai" || o.service != "web" {
		t.Errorf("the flags became %+v", o)
	}
	options, err := o.options()
	if err != nil {
		t.Fatal(err)
	}
	// A fit uses the history and the periods of the spec, as on the server, however much is read.
	if options.History != 14*24*time.Hour || len(options.Periods) != 1 || options.Periods[0] != 12*time.Hour {
		t.Errorf("a fit uses %s of history with periods %v, want 14d and 12h", options.History, options.Periods)
	}
	if options.Contract.ServiceLevel != 0.95 || options.MinDemand != 3 || options.MaxDemand != 400 {
		t.Errorf("contract %+v, bounds %v to %v, want those of the spec",
			options.Contract, options.MinDemand, options.MaxDemand)
	}
	ramp := planner.Ramp{Sync: planner.DefaultSync, Policies: []planner.Policy{
		{Kind: planner.PolicyPods, Value: 1, Period: time.Minute},
	}}
	if diff := cmp.Diff(ramp, options.Ramp); diff != "" {
		t.Errorf("ramp (-HPA +report):\n%s", diff)
	}
	if options.MinReplicas != 2 || options.MaxReplicas != 25 || options.Stabilization != time.Minute {
		t.Errorf("%d to %d replicas, stabilization %s, want 2 to 25 and 1m",
			options.MinReplicas, options.MaxReplicas, options.Stabilization)
	}
}

// The peaks of a report are those of the server. An object that is not valid is left out and named,
// as on the server, and one that does not apply to the Forecast is not named.
func TestReportPeaksFromCluster(t *testing.T) {
	o := reportOptions{timeZone: "UTC", in: readFrom("http://127.0.0.1:9090")}
	peaks, err := o.fromForecast(t.Context(), webCluster(), webForecast(), func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	options, err := o.options()
	if err != nil {
		t.Fatal(err)
	}
	options.Series.Step = 5 * time.Minute
	if err := o.addPeaks(&options, peaks); err != nil || len(options.Calendars.Named) != 1 {
		t.Errorf("error %v, %d calendars, want the valid one", err, len(options.Calendars.Named))
	}
	if len(peaks.Schedules) != 2 || peaks.Schedules[0].Name() != "named" || peaks.Schedules[1].Name() != "selected" {
		t.Errorf("peaks %v", peaks.Schedules)
	}
	warnings := strings.Join(peaks.Warnings, "\n")
	for _, part := range []string{
		"PeakSchedule bad: spec.forecastSelector", `calendar "broken"`, `calendar "gone" does not exist`,
	} {
		if !strings.Contains(warnings, "left out, as on the server: "+part) {
			t.Errorf("warnings %q, want one about %s", peaks.Warnings, part)
		}
	}
	if len(peaks.Warnings) != 3 || strings.Contains(warnings, "unrelated") {
		t.Errorf("warnings %q, want three", peaks.Warnings)
	}
}

// A ScaledObject with a trigger for the Forecast reads it, though the metrics of its HPA have other
// names. A report does not propose a second trigger.
func TestReportKnowsTheScaledObjectThatReads(t *testing.T) {
	for forecast, reads := range map[string]bool{"web": true, "other": false} {
		fc, hpa := webForecast(), webHPA()
		fc.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
		hpa.Name, hpa.Spec.Metrics[0].External.Metric.Name = "keda-hpa-web", "s0-forecast"
		hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}
		hpa.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "web"}}
		scaled := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
			"metadata": map[string]any{"namespace": "shop", "name": "web"},
			"spec": map[string]any{
				"scaleTargetRef": map[string]any{"name": "web"},
				"triggers": []any{map[string]any{
					"type": "external-push", "metadata": map[string]any{"forecast": forecast},
				}},
			},
		}}
		c := fake.NewClientBuilder().WithScheme(controller.NewScheme()).WithObjects(fc, hpa, scaled).Build()
		o := reportOptions{in: readFrom("http://127.0.0.1:9090")}
		if _, err := o.fromForecast(t.Context(), c, fc, func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
		if h := o.forecast.hpa; h == nil || h.ScaledObject != "web" || h.ReadsForecast != reads {
			t.Errorf("a trigger for %s: %+v", forecast, h)
		}
	}
}

// Flags that were given win over the HPA.
func TestReportFlagsOverrideForecast(t *testing.T) {
	o := reportOptions{
		ramp: "default", maxReplicas: 7, in: readFrom("http://127.0.0.1:9090"), timeZone: "UTC",
	}
	given := func(flag string) bool { return flag == "hpa-ramp" || flag == "max-replicas" }
	if _, err := o.fromForecast(t.Context(), webCluster(), webForecast(), given); err != nil {
		t.Fatal(err)
	}
	options, err := o.options()
	if err != nil || options.MaxReplicas != 7 || len(options.Ramp.Policies) > 0 || options.MinReplicas != 2 {
		t.Errorf("error %v, %d to %d replicas, ramp %+v: want the flags, and minReplicas of the HPA",
			err, options.MinReplicas, options.MaxReplicas, options.Ramp)
	}
}

// The API server accepts the manifests that a report proposes.
func TestReportProposesValidManifests(t *testing.T) {
	stdout, stderr, code := headstart(t, "report --lead 1h --capacity 2.5 --shortage-cost 20 "+
		"--time-zone Europe/Berlin --policies headstart,static",
		"--service", "It's a Service", "--input", file(t, "demand.csv", twoWeeks()))
	if code != 0 {
		t.Fatal(stderr)
	}
	_, text, found := strings.Cut(stdout, "What to apply")
	if !found {
		t.Fatal("nothing is proposed")
	}
	_, text, _ = strings.Cut(text, "\n")
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, autoscalingv2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var kinds []string
	for doc := range strings.SplitSeq(strings.ReplaceAll(text, "\n    ", "\n"), "\n---\n") {
		object, gvk, err := decoder.Decode([]byte(doc), nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		kinds = append(kinds, gvk.Kind)
		switch o := object.(type) {
		case *v1alpha1.Forecast:
			if o.Name != "it-s-a-service" || o.Spec.CapacityPerReplica.String() != "2500m" ||
				*o.Spec.ProvisionFor.ShortageCost != "20" || o.Spec.Mode != v1alpha1.ForecastDryRun {
				t.Errorf("forecast %+v", o.Spec)
			}
		case *autoscalingv2.HorizontalPodAutoscaler:
			m := o.Spec.Metrics[0].External
			if m.Metric.Name != "it-s-a-service" || m.Target.AverageValue.String() != "2500m" ||
				o.Spec.MaxReplicas < 40 || !o.Spec.Behavior.ScaleUp.Tolerance.IsZero() {
				t.Errorf("HPA %+v", o.Spec)
			}
		}
	}
	if len(kinds) != 2 {
		t.Errorf("proposed %v", kinds)
	}
}
