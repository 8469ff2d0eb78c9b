package kinds_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// invalidObject is an invalid field of a PeakSchedule or a Calendar, as the table of the
// scheduler's own test lists them.
type invalidObject struct {
	Name      string         `json:"name"`
	RefusedBy string         `json:"refusedBy"`
	Message   string         `json:"message"`
	Object    map[string]any `json:"object"`
}

// TestEveryBadFieldIsRefusedByTheRealServer applies them to the real API server, and waits for the
// real conditions.
func TestEveryBadFieldIsRefusedByTheRealServer(t *testing.T) {
	t.Parallel() // waits most of the time
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "scheduler", "testdata", "refused.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []invalidObject
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	ns := namespace(t)
	var later []invalidObject
	var accepted strings.Builder
	for _, r := range all {
		if meta, ok := r.Object["metadata"].(map[string]any); ok && meta["namespace"] != nil {
			meta["namespace"] = ns
		}
		object, err := yaml.Marshal(r.Object)
		if err != nil {
			t.Fatal(err)
		}
		if r.RefusedBy != "APIServer" {
			later = append(later, r)
			fmt.Fprintf(&accepted, "---\n%s", object)
			continue
		}
		out, err := shared.Kubectl(t.Context(), object, "apply", "--dry-run=server", "-f", "-")
		if err == nil {
			t.Errorf("%s: the API server accepted it:\n%s", r.Name, out)
		} else if !strings.Contains(err.Error()+out, r.Message) {
			t.Errorf("%s: refused without saying %q: %v\n%s", r.Name, r.Message, err, out)
		}
	}
	if len(later) < 20 || len(all)-len(later) < 40 {
		t.Fatalf("only %d bad fields, %d of them for conditions", len(all), len(later))
	}
	if err := shared.Apply(t.Context(), accepted.String()); err != nil {
		t.Fatalf("the API server refuses what a condition should: %v", err)
	}
	deadline := time.Now().Add(timeout)
	for _, r := range later {
		awaitNotReady(t, ns, strings.ToLower(r.Object["kind"].(string))+"/"+strings.ToLower(r.Name), deadline, r.Message)
	}
}

// TestPeaksAtAGlance checks what kubectl prints for a schedule with windows in all states.
func TestPeaksAtAGlance(t *testing.T) {
	t.Parallel() // waits most of the time
	ns := namespace(t)
	now := time.Now().UTC()
	wall := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05") }
	err := shared.Apply(t.Context(), deployment(ns)+fmt.Sprintf(`
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: model, namespace: %[1]s}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  horizon: 1h
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: glance, namespace: %[1]s}
spec:
  forecastRefs: [{name: model}]
  timeZone: UTC
  windows:
  - {name: first, start: "%[2]s", duration: 1h, demand: {atLeast: "10"}}
  - {name: second, start: "%[2]s", duration: 1h, demand: {atLeast: "15"}}
  - {name: over, start: "%[3]s", duration: 1h, demand: {atLeast: "99"}}
  - {name: soon, start: "%[4]s", duration: 1h, demand: {atLeast: "40"}}
`, ns, wall(-time.Minute), wall(-48*time.Hour), wall(30*time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	// The first plan may be computed before the schedule is seen. The next one has it.
	deadline := time.Now().Add(timeout)
	want := []string{"first, second", "soon", "Ready", "True", "now 15", "next 40", "expired: over"}
	var shown string
	for missing := want; len(missing) > 0; time.Sleep(time.Second) {
		missing = nil
		shown = ""
		for _, args := range [][]string{
			{"get", "peaks", "-o", "wide"},
			{
				"get", "peaks", "glance", "-o",
				"jsonpath={range .status.forecasts[*]}{.name} now {.demand} next {.demandAtNext}{end}",
			},
			{"describe", "peaks", "glance"},
		} {
			out, err := shared.Kubectl(t.Context(), nil, append([]string{"-n", ns}, args...)...)
			if err != nil {
				t.Fatal(err)
			}
			shown += out + "\n"
		}
		for _, part := range want {
			if !strings.Contains(shown, part) {
				missing = append(missing, part)
			}
		}
		if len(missing) > 0 && time.Now().After(deadline) {
			t.Fatalf("kubectl does not show %q:\n%s", missing, shown)
		}
	}
	t.Log("\n" + shown)
	// A Forecast that is deleted is reported as missing.
	if _, err := shared.Kubectl(t.Context(), nil, "-n", ns, "delete", "forecast", "model"); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Kubectl(t.Context(), nil, "-n", ns, "wait", "--for=condition=Ready=false",
		"--timeout="+timeout.String(), "peakschedule/glance"); err != nil {
		t.Error(err)
	}
}
