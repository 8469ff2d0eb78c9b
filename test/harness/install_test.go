package harness_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

var layout binaries.Layout

func TestMain(m *testing.M) { os.Exit(binaries.RunTests(m, &layout, binaries.ControlPlane)) }

// TestInstall applies every overlay, and the objects of a service, to a real API server. It accepts
// all names, schemas and rules.
func TestInstall(t *testing.T) {
	for _, overlay := range []string{"external-metrics", "custom-metrics", "both"} {
		t.Run(overlay, func(t *testing.T) {
			opts := controlplane.DefaultOptions(layout.Bin)
			opts.StateRoot = t.TempDir()
			opts.Log = t.Output()
			c, err := controlplane.Start(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Stop)
			if err := harness.Install(t.Context(), c, layout, overlay, 12345); err != nil {
				t.Fatal(err)
			}
			for _, group := range []string{"external", "custom"} {
				got, err := c.Kubectl(t.Context(), nil, "get", "apiservice", "v1beta1."+group+".metrics.k8s.io", "-o",
					"jsonpath={.spec.service.namespace}/{.spec.service.name}:{.spec.service.port}")
				if want := overlay == "both" || strings.HasPrefix(overlay, group); want {
					if err != nil || got != "headstart-system/headstart:12345" {
						t.Errorf("%s metrics go to %q: %v", group, got, err)
					}
				} else if err == nil {
					t.Errorf("overlay %s takes the group of %s metrics", overlay, group)
				}
			}
			svc := harness.Service{
				Namespace: "shop", Name: "model", Capacity: 10, Replicas: 2, Min: 1, Max: 20, Mode: "Active",
				ProvisionFor: `{serviceLevel: "0.99"}`, Step: 2 * time.Second, History: time.Hour, Horizon: 5 * time.Minute,
				DefaultLead: 30 * time.Second,
			}
			if err := svc.Apply(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			f, err := harness.GetForecast(t.Context(), c, "shop", "model")
			if err != nil || harness.Ready(f) {
				t.Errorf("forecast %+v without a server: %v", f, err)
			}
		})
	}
}

func TestPlanAt(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var plan harness.Plan
	err := json.Unmarshal([]byte(`{"segments": [{"step": "2s", "values": "1 2 3"}, {"step": "10s", "values": "40 50"}]}`),
		&plan)
	if err != nil {
		t.Fatal(err)
	}
	plan.Start, plan.End = metav1.Time{Time: start}, metav1.Time{Time: start.Add(26 * time.Second)}
	cases := map[string]struct {
		at   time.Duration
		want float64
		ok   bool
	}{
		"Before":       {-1, 0, false},
		"First":        {0, 1, true},
		"InAStep":      {5 * time.Second, 3, true},
		"NextSegment":  {6 * time.Second, 40, true},
		"LastInstants": {26*time.Second - 1, 50, true},
		"End":          {26 * time.Second, 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, ok := plan.At(start.Add(tc.at)); got != tc.want || ok != tc.ok {
				t.Errorf("At(%s) = %v, %v, want %v, %v", tc.at, got, ok, tc.want, tc.ok)
			}
		})
	}
}
