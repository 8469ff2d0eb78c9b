package propose

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler/door"
)

// everyField returns a Forecast with a value in every field of its spec. Its names are those that
// YAML reads as numbers or truth values.
func everyField() *v1alpha1.Forecast {
	quantity := func(s string) *resource.Quantity { q := resource.MustParse(s); return &q }
	lead, cost := v1alpha1.Duration("10m"), v1alpha1.Decimal("20")
	return &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "123", Name: "404"},
		Spec: v1alpha1.ForecastSpec{
			Demand: &v1alpha1.DemandSource{
				Prometheus: v1alpha1.PrometheusQuery{Query: "sum(rate(x[2m])) # it's ours\n  > 0\n", Source: "1e3"},
				Resolution: "1m", History: "28d", Settle: "45s",
			},
			TargetRef:          v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "1e3"},
			CapacityPerReplica: quantity("20"),
			Capacity: &v1alpha1.Capacity{
				Mode: v1alpha1.CapacityLearned, Attain: "0.95", Min: quantity("2"), Max: quantity("60"),
				Objective: &v1alpha1.Objective{Query: "max(y) # it's a latency\n", Source: "on", AtMost: "0.5"},
				Replicas:  &v1alpha1.SeriesQuery{Query: "max(ready)", Source: "1e3"},
			},
			Unit:         "requests/s",
			Priority:     -5,
			OverflowOf:   &v1alpha1.OverflowReference{Cluster: "404", Forecast: "shop/1e3"},
			Serve:        v1alpha1.Serve{Unit: v1alpha1.ServeReplicas},
			LeadTime:     v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeLearned, Percentile: 75, Default: &lead, Max: "1h"},
			ProvisionFor: v1alpha1.ProvisionFor{ShortageCost: &cost},
			Horizon:      "1d",
			Seasonality: v1alpha1.Seasonality{
				TimeZone: "Europe/Berlin", Calendars: []string{"2026", "off"}, Periods: []v1alpha1.Duration{"1d"},
			},
			Bounds:       v1alpha1.Bounds{Min: quantity("5"), Max: quantity("900")},
			Mode:         v1alpha1.ForecastActive,
			OnPlanExpiry: v1alpha1.OnPlanExpiry{Policy: v1alpha1.ExpiryStatic, Value: quantity("40")},
		},
	}
}

func input(t *testing.T, fc *v1alpha1.Forecast) Input {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return Input{
		Existing: fc, Query: fc.Spec.Demand.Prometheus.Query, Step: time.Minute, History: 28 * 24 * time.Hour,
		Lead: 10 * time.Minute, Capacity: 20, Contract: forecaster.Contract{ShortageCost: 20}, Horizon: 24 * time.Hour,
		Location: zone, UsedReplicas: 7,
	}
}

// empty names the fields without a value.
func empty(path string, v reflect.Value) []string {
	switch {
	case v.IsZero():
		return []string{path}
	case v.Kind() == reflect.Pointer:
		return empty(path, v.Elem())
	case v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[resource.Quantity]():
		return nil
	}
	var out []string
	for i := range v.NumField() {
		out = append(out, empty(path+"."+v.Type().Field(i).Name, v.Field(i))...)
	}
	return out
}

// Applying the proposal changes nothing of an existing Forecast. A field that is new in the API
// must be kept too.
func TestProposalKeepsEveryField(t *testing.T) {
	existing := everyField()
	alternatives := []string{
		"spec.Demand.Terms", "spec.Demand.Weights", "spec.Demand.Source", "spec.Capacity.Default", "spec.LeadTime.Fixed",
		"spec.ProvisionFor.ServiceLevel", "spec.ProvisionFor.AtMost",
	}
	if diff := cmp.Diff(alternatives, empty("spec", reflect.ValueOf(existing.Spec))); diff != "" {
		t.Fatalf("give each field of the test's Forecast a value: -want, +got empty:\n%s", diff)
	}
	for name, query := range map[string]string{"Replayed": existing.Spec.Demand.Prometheus.Query, "FromFile": ""} {
		t.Run(name, func(t *testing.T) {
			in := input(t, existing)
			in.Query = query
			proposal := Manifests(in)
			var got v1alpha1.Forecast
			if err := yaml.UnmarshalStrict([]byte(proposal.Forecast), &got); err != nil {
				t.Fatalf("%v in\n%s", err, proposal.Forecast)
			}
			if diff := cmp.Diff(existing.Spec, got.Spec); diff != "" || got.Name != "404" || got.Namespace != "123" {
				t.Errorf("%s/%s, -existing, +proposed:\n%s", got.Namespace, got.Name, diff)
			}
		})
	}
}

// The other ways to say the same are kept too.
func TestProposalKeepsAlternatives(t *testing.T) {
	existing := everyField()
	existing.Spec.Demand.Prometheus = v1alpha1.PrometheusQuery{}
	existing.Spec.Demand.Terms = []v1alpha1.DemandTerm{
		{Query: "sum(a) # it's\n", Weight: "0.1"}, {Query: "b", Weight: "1"},
	}
	existing.Spec.Demand.Source, existing.Spec.Demand.Weights = "1e3", v1alpha1.WeightsLearned
	existing.Spec.Capacity.Default, existing.Spec.CapacityPerReplica = existing.Spec.CapacityPerReplica, nil
	existing.Spec.ProvisionFor = v1alpha1.ProvisionFor{
		ServiceLevel: new(v1alpha1.Decimal("0.99")), AtMost: new(v1alpha1.Decimal("2.5")),
	}
	in := input(t, existing)
	in.Query, in.Contract, in.AtMost = existing.Spec.Demand.PromQL(), forecaster.Contract{ServiceLevel: 0.99}, 2.5
	proposal := Manifests(in)
	var got v1alpha1.Forecast
	if err := yaml.UnmarshalStrict([]byte(proposal.Forecast), &got); err != nil {
		t.Fatalf("%v in\n%s", err, proposal.Forecast)
	}
	if diff := cmp.Diff(existing.Spec, got.Spec); diff != "" {
		t.Errorf("-existing, +proposed:\n%s", diff)
	}
}

// A new Forecast learns where the dry run did, and is served in replicas.
func TestProposalLearns(t *testing.T) {
	in := input(t, everyField())
	in.Existing, in.Learn = nil, &Objective{Query: "histogram_quantile(0.95, x)", AtMost: 0.5, Attain: 0.99}
	for _, query := range []string{in.Learn.Query, ""} {
		in.Learn.Query = query
		proposal := Manifests(in)
		var got v1alpha1.Forecast
		if err := yaml.UnmarshalStrict([]byte(proposal.Forecast), &got); err != nil {
			t.Fatalf("%v in\n%s", err, proposal.Forecast)
		}
		c := got.Spec.Capacity
		if c == nil || c.Objective.Query != query || c.Objective.AtMost != "0.5" || c.Attain != "0.99" ||
			got.Spec.CapacityPerReplica.String() != "20" || got.Spec.Serve.Unit != v1alpha1.ServeReplicas {
			t.Errorf("it does not learn at 0.5 from %q:\n%s", query, proposal.Forecast)
		}
		if !strings.Contains(proposal.HPA, "averageValue: '1'}") {
			t.Errorf("the target is not 1:\n%s", proposal.HPA)
		}
	}
}

// A learned capacity is served in replicas, so that nobody follows it by hand.
func TestProposalServesReplicasWhereLearned(t *testing.T) {
	fc := everyField()
	fc.Spec.Serve.Unit = v1alpha1.ServeDemand
	proposal := Manifests(input(t, fc))
	if !strings.Contains(proposal.Forecast, "serve: {unit: Replicas}") ||
		!strings.Contains(proposal.HPA, "averageValue: '1'}") {
		t.Errorf("not in replicas:\n%s\n%s", proposal.Forecast, proposal.HPA)
	}
}

// Whatever a service, a query and a target are called, the manifests say the same.
func TestManifestsAreYAMLOfTheSameNames(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fc := everyField()
		fc.Name = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"on", "~", "0x1f", "1:30", "null", "-", "5h"})).
			Filter(func(s string) bool { return s != "" }).Draw(rt, "name")
		fc.Spec.TargetRef.Kind, fc.Spec.Demand.Prometheus.Query = fc.Name, fc.Name
		in := input(t, fc)
		in.Door = rapid.SampledFrom([]door.Door{"", door.Object}).Draw(rt, "door")
		proposal := Manifests(in)
		var got v1alpha1.Forecast
		if err := yaml.UnmarshalStrict([]byte(proposal.Forecast), &got); err != nil {
			rt.Fatalf("%v in\n%s", err, proposal.Forecast)
		}
		if diff := cmp.Diff(fc.Spec, got.Spec); diff != "" || got.Name != fc.Name {
			rt.Fatalf("%q: %s", got.Name, diff)
		}
		var hpa struct {
			Metadata metav1.ObjectMeta
			Spec     struct{ ScaleTargetRef v1alpha1.TargetReference }
		}
		if err := yaml.Unmarshal([]byte(proposal.HPA), &hpa); err != nil || hpa.Metadata.Name != fc.Name ||
			hpa.Spec.ScaleTargetRef != fc.Spec.TargetRef {
			rt.Fatalf("%v, %+v in\n%s", err, hpa, proposal.HPA)
		}
	})
}

// Where a Forecast is served in replicas, one of the metric is one replica.
func TestProposalInReplicas(t *testing.T) {
	fc := everyField()
	fc.Spec.Capacity = nil
	for unit, want := range map[v1alpha1.ServeUnit]string{v1alpha1.ServeReplicas: "'1'", v1alpha1.ServeDemand: "'20'"} {
		fc.Spec.Serve.Unit = unit
		if got := Manifests(input(t, fc)).HPA; !strings.Contains(got, "averageValue: "+want+"}") {
			t.Errorf("unit %s: no averageValue of %s in\n%s", unit, want, got)
		}
	}
}

// A dry run without demand still proposes an HPA that the API server takes.
func TestProposalWithoutDemand(t *testing.T) {
	in := input(t, everyField())
	in.UsedReplicas = 0
	if got := Manifests(in).HPA; !strings.Contains(got, "maxReplicas: 1 ") {
		t.Errorf("maxReplicas below minReplicas:\n%s", got)
	}
}

func TestProposalNamesTheAutoscalerOfToday(t *testing.T) {
	cases := map[string]struct {
		reason string
		today  Autoscaler
		door   door.Door
		want   string
	}{
		"None":  {"nothing to say", Autoscaler{}, "", "apiVersion:"},
		"HPA":   {"its metrics stay", Autoscaler{HPA: "shop/web"}, "", "Add the metric and the behavior"},
		"Reads": {"it is done", Autoscaler{HPA: "shop/web", ReadsForecast: true}, "", "reads the Forecast already"},
		"Scaled": {
			"a trigger is missing", Autoscaler{HPA: "shop/keda-hpa-web", ScaledObject: "web"}, door.KEDA, "Add a trigger",
		},
		"ScaledReads": {
			"a second trigger would do nothing",
			Autoscaler{HPA: "shop/keda-hpa-web", ScaledObject: "web", ReadsForecast: true},
			door.KEDA, "ScaledObject web reads the Forecast already",
		},
		"HPAToKEDA": {
			"KEDA refuses a ScaledObject beside an HPA", Autoscaler{HPA: "shop/web"}, door.KEDA, "delete it when you apply",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := input(t, everyField())
			in.Today, in.Door = tc.today, tc.door
			got := Manifests(in).HPA
			if !strings.Contains(got, tc.want) || strings.Contains(got, "Add a trigger") != (name == "Scaled") {
				t.Errorf("%s: %q is missing in\n%s", tc.reason, tc.want, got)
			}
		})
	}
}
