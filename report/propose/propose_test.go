package propose

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler/door"
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

// Only KEDA can be told to keep no replica at all.
func TestZeroReplicas(t *testing.T) {
	cases := map[string]struct {
		reason       string
		door         door.Door
		min, max     int
		used         float64
		readsAlready bool
		want         []string
	}{
		"KEDA":     {"0 stays 0", door.KEDA, 0, 0, 7, false, []string{"minReplicaCount: 0\n", "Count: 9 #"}},
		"HPA":      {"it says why", "", 0, 0, 7, false, []string{"minReplicas: 1 # 0 needs", "maxReplicas: 9 #"}},
		"One":      {"nothing to say", "", 1, 0, 7, false, []string{"minReplicas: 1\n"}},
		"KEDAOne":  {"nothing to say", door.KEDA, 1, 0, 7, false, []string{"minReplicaCount: 1\n"}},
		"Existing": {"the HPA has none today", "", 0, 4, 7, true, []string{"minReplicas: 0\n"}},
		"Nothing":  {"a maximum of 0 is refused", door.KEDA, 0, 0, 0, false, []string{"maxReplicaCount: 1 #"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Manifests(Input{
				Step: time.Minute, History: time.Hour, Lead: time.Minute, Capacity: 20, Horizon: time.Hour,
				Contract: forecaster.Contract{ShortageCost: 20}, Location: time.UTC, UsedReplicas: tc.used, Door: tc.door,
				MinReplicas: tc.min, MaxReplicas: tc.max, Today: Autoscaler{ReadsForecast: tc.readsAlready},
			}).HPA
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s: %q is missing in\n%s", tc.reason, want, got)
				}
			}
		})
	}
}
