package propose

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

func TestServiceName(t *testing.T) {
	for in, want := range map[string]string{
		"": "my-service", "Face Fusion": "face-fusion", "a--b_c": "a-b-c", "-x-": "x", "日本": "my-service",
		strings.Repeat("ab", 40): strings.Repeat("ab", 25),
	} {
		if got := serviceName(in); got != want {
			t.Errorf("serviceName(%q) = %q, want %q", in, got, want)
		}
	}
}

// The proposal keeps what an existing Forecast already has.
func TestProposalKeepsExistingFields(t *testing.T) {
	limit := resource.MustParse("900")
	existing := &v1alpha1.Forecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: v1alpha1.ForecastSpec{
			Demand:      &v1alpha1.DemandSource{Prometheus: v1alpha1.PrometheusQuery{Query: "x", Source: "second"}},
			TargetRef:   v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web-v2"},
			LeadTime:    v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed},
			Mode:        v1alpha1.ForecastActive,
			Seasonality: v1alpha1.Seasonality{Calendars: []string{"holidays"}},
			Bounds:      v1alpha1.Bounds{Max: &limit},
		},
	}
	proposal := Manifests(Input{
		Existing: existing, Query: "x", Step: time.Minute, History: 28 * 24 * time.Hour, Lead: 10 * time.Minute, Capacity: 20,
		Contract: forecaster.Contract{ShortageCost: 20}, Horizon: 24 * time.Hour, Location: time.UTC, UsedReplicas: 7,
	})
	for _, want := range []string{
		"  name: web\n  namespace: shop\n", "source: 'second'", "kind: StatefulSet, name: web-v2",
		"leadTime: {mode: Fixed, fixed: 10m}", "calendars: [holidays]", "bounds: {max: '900'}\n", "mode: Active\n",
	} {
		if !strings.Contains(proposal.Forecast, want) {
			t.Errorf("%q is missing in\n%s", want, proposal.Forecast)
		}
	}
	for _, want := range []string{
		"scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: web-v2}", "metric: {name: web}",
	} {
		if !strings.Contains(proposal.HPA, want) {
			t.Errorf("%q is missing in\n%s", want, proposal.HPA)
		}
	}
}
