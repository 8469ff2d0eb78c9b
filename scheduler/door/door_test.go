package door

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestParse(t *testing.T) {
	for _, d := range []Door{External, Object, KEDA} {
		if got, err := Parse(string(d)); got != d || err != nil {
			t.Errorf("Parse(%q) = %q, error %v", d, got, err)
		}
	}
	if _, err := Parse("KEDA"); err == nil || !strings.Contains(err.Error(), "external, object or keda") {
		t.Errorf("Parse of an unknown door: error %v, want the known ones", err)
	}
}

func TestParseKubernetes(t *testing.T) {
	for text, want := range map[string]Kubernetes{
		"1.31": 31, "v1.31.4": 31, "1.33+": 33, "v1.37.2-gke.100": 37,
		"": 0, "1": 0, "2.1": 0, "1.x": 0, "1.": 0, "1.-3": 0, "1.99999999999999999999": 0,
	} {
		got, err := ParseKubernetes(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("ParseKubernetes(%q) = %d, error %v, want %d", text, got, err, want)
		}
	}
}

func TestManifest(t *testing.T) {
	a := Autoscaler{Name: "llm", Target: Target{"apps/v1", "Deployment", "llm"}, Min: 0, Max: 9, Capacity: "2500m"}
	cases := map[string]struct {
		door       Door
		kubernetes Kubernetes
		has, lacks []string
	}{
		"external": {External, 0, []string{
			"kind: HorizontalPodAutoscaler", "type: External", "averageValue: 2500m",
			"minReplicas: 0", `tolerance: "0"`,
		}, []string{"type: Value"}},
		"object": {Object, 33, []string{"kind: Forecast", "name: demand", "type: AverageValue", `tolerance: "0"`}, nil},
		"old":    {External, 32, []string{"maxReplicas: 9"}, []string{"tolerance", "behavior"}},
		"keda": {
			KEDA, 0,
			[]string{
				"kind: ScaledObject", "type: external-push", "forecast: llm", `enableTLS: "true"`,
				"minReplicaCount: 0", "horizontalPodAutoscalerConfig", "kind: ClusterTriggerAuthentication",
			},
			[]string{"targetValue"},
		},
		"old keda": {KEDA, 31, []string{"kind: ScaledObject"}, []string{"tolerance", "advanced"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			apiVersion, kind, spec := tc.door.Manifest(a, tc.kubernetes)
			if n := tc.door.Names(); kind != n.Kind || spec[n.Min] != a.Min || spec[n.Max] != a.Max {
				t.Errorf("%+v are not the names of %s %v", n, kind, spec)
			}
			body, err := yaml.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("apiVersion: %s\nkind: %s\n%s", apiVersion, kind, body)
			for _, part := range tc.has {
				if !strings.Contains(text, part) {
					t.Errorf("%q is missing in\n%s", part, text)
				}
			}
			for _, part := range tc.lacks {
				if strings.Contains(text, part) {
					t.Errorf("%q is in\n%s", part, text)
				}
			}
			if (tc.kubernetes.WithoutTolerance() == "") != strings.Contains(text, "tolerance") {
				t.Error("the note and the manifest differ about tolerance")
			}
		})
	}
}

// The address in a trigger is that of one namespace, so what KEDA needs names it.
func TestNeedsNamesTheNamespace(t *testing.T) {
	metadata := Trigger("llm")["metadata"].(map[string]any)
	_, rest, _ := strings.Cut(metadata["scalerAddress"].(string), ".")
	namespace, _, _ := strings.Cut(rest, ".")
	if namespace == "" || !strings.Contains(KEDA.Needs(), "the namespace "+namespace) {
		t.Errorf("%q does not name the namespace %q", KEDA.Needs(), namespace)
	}
}
