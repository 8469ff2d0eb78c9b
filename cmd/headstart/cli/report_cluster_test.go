package cli

import (
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller"
)

func TestReportFromForecast(t *testing.T) {
	capacity, level := resource.MustParse("2500m"), v1alpha1.Decimal("0.95")
	fc := &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"tier": "front"}},
		Spec: v1alpha1.ForecastSpec{
			Demand:             &v1alpha1.DemandSource{Prometheus: v1alpha1.PrometheusQuery{Query: "sum(rate(x[2m]))"}, Resolution: "5m", History: "14d"},
			CapacityPerReplica: &capacity, ProvisionFor: v1alpha1.ProvisionFor{ServiceLevel: &level}, Horizon: "12h",
			Seasonality: v1alpha1.Seasonality{TimeZone: "Asia/Shanghai", Periods: []v1alpha1.Duration{"12h"}},
		},
		Status: v1alpha1.ForecastStatus{LeadTime: &v1alpha1.LeadTimeStatus{Value: "7m", Source: v1alpha1.LeadSourceLearned}},
	}
	window := func(name string, spec v1alpha1.PeakScheduleSpec) *v1alpha1.PeakSchedule {
		spec.TimeZone = "UTC"
		cron, long, least := "0 12 * * *", v1alpha1.Duration("1h"), resource.MustParse("100")
		spec.Windows = []v1alpha1.PeakWindow{{Name: "noon", Schedule: cron, Duration: long, Demand: v1alpha1.PeakDemand{AtLeast: &least}}}
		return &v1alpha1.PeakSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: spec}
	}
	c := fake.NewClientBuilder().WithScheme(controller.NewScheme()).WithObjects(
		fc,
		window("named", v1alpha1.PeakScheduleSpec{ForecastRefs: []v1alpha1.ForecastReference{{Name: "web"}}}),
		window("selected", v1alpha1.PeakScheduleSpec{ForecastSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "front"}}}),
		window("other", v1alpha1.PeakScheduleSpec{ForecastSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "back"}}}),
		window("bad", v1alpha1.PeakScheduleSpec{ForecastSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Near"}},
		}}),
	).Build()

	o := reportOptions{timeZone: "UTC", in: inputFlags{prometheus: "http://127.0.0.1:9090"}}
	o.lead = promDuration(time.Hour)
	peaks, err := o.fromForecast(t.Context(), c, fc, func(flag string) bool { return flag == "step" })
	if err != nil {
		t.Fatal(err)
	}
	if o.in.query != "sum(rate(x[2m]))" || o.in.step != 0 || time.Duration(o.in.history) != 14*24*time.Hour || time.Duration(o.horizon) != 12*time.Hour ||
		time.Duration(o.lead) != 7*time.Minute || o.capacity != 2.5 || o.serviceLevel != "0.95" || o.timeZone != "Asia/Shanghai" || o.service != "web" {
		t.Errorf("taken over: %+v", o)
	}
	// However much is read, fits look back on what the spec says, and know its periods, as they do when it is served.
	if got := o.lookBack(5 * time.Minute); got != 14*288 || len(o.forecast.periods) != 1 || o.forecast.periods[0] != 12*time.Hour {
		t.Errorf("a fit looks back on %d steps with periods %v, want 14 days of them and 12h", got, o.forecast.periods)
	}
	if len(peaks.Schedules) != 2 || peaks.Schedules[0].Name() != "named" || peaks.Schedules[1].Name() != "selected" {
		t.Errorf("peaks %v", peaks.Schedules)
	}
	// An invalid selector selects nothing, as on the server.
	if w := strings.Join(peaks.Warnings, "\n"); !strings.HasPrefix(w, "PeakSchedule bad is left out, as on the server: spec.forecastSelector") {
		t.Errorf("warnings %q, want one about the invalid selector", peaks.Warnings)
	}

	far := reportOptions{}
	if _, err := far.fromForecast(t.Context(), c, fc, func(string) bool { return false }); err == nil || !strings.Contains(err.Error(), "port-forward") {
		t.Errorf("without --prometheus: got %v, want how to forward its port", err)
	}
}

// What a report proposes is what the API servers take.
func TestReportProposesValidManifests(t *testing.T) {
	stdout, stderr, code := headstart(t, "report", "--input", file(t, "demand.csv", twoWeeks()), "--lead", "1h", "--capacity", "2.5", "--shortage-cost", "20",
		"--service", "It's a Service", "--time-zone", "Europe/Berlin", "--policies", "headstart,static")
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
			if o.Name != "it-s-a-service" || o.Spec.CapacityPerReplica.String() != "2500m" || *o.Spec.ProvisionFor.ShortageCost != "20" || o.Spec.Mode != v1alpha1.ForecastDryRun {
				t.Errorf("forecast %+v", o.Spec)
			}
		case *autoscalingv2.HorizontalPodAutoscaler:
			m := o.Spec.Metrics[0].External
			if m.Metric.Name != "it-s-a-service" || m.Target.AverageValue.String() != "2500m" || o.Spec.MaxReplicas < 40 || !o.Spec.Behavior.ScaleUp.Tolerance.IsZero() {
				t.Errorf("HPA %+v", o.Spec)
			}
		}
	}
	if len(kinds) != 2 {
		t.Errorf("proposed %v", kinds)
	}
}
