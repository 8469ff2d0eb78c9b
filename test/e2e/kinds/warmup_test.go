package kinds_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/test/harness"
)

// startRecord is one record of status.leadTime.recentStarts.
type startRecord struct {
	Pod     string `json:"pod"`
	Seconds int    `json:"warmUpSeconds"`
	Outcome string `json:"outcome"`
}

// learned reads what a Forecast has learned.
func learned(t *testing.T, ns string) (starts []startRecord) {
	t.Helper()
	out, err := shared.Kubectl(t.Context(), nil, "get", "forecast", "model", "-n", ns, "-o", "jsonpath={.status.leadTime.recentStarts}")
	if err != nil {
		t.Fatal(err)
	}
	if out != "" {
		if err := json.Unmarshal([]byte(out), &starts); err != nil {
			t.Fatal(err)
		}
	}
	return starts
}

// On real pods: the lead is learned from their first transitions to Ready, and readiness that flaps later changes nothing.
func TestWarmUpIsLearned(t *testing.T) {
	t.Parallel() // waits most of the time
	ns := namespace(t)
	annotations, err := json.Marshal(warmUp.Annotations())
	if err != nil {
		t.Fatal(err)
	}
	err = shared.Apply(t.Context(), fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, namespace: %[1]s}
spec:
  replicas: 4
  selector: {matchLabels: {app: model}}
  template:
    metadata: {labels: {app: model}, annotations: %[2]s}
    spec: {containers: [{name: model, image: example.com/model:1}]}
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: model, namespace: %[1]s}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  capacityPerReplica: "5"
  leadTime: {mode: Learned, default: 2m}
  horizon: 1h
`, ns, annotations))
	if err != nil {
		t.Fatal(err)
	}
	_, err = harness.AwaitForecast(t.Context(), shared, ns, "model", 90*time.Second, func(f *harness.Forecast) bool {
		return f.Condition("LeadTimeLearned").Status == metav1.ConditionTrue && f.Status.LeadTime.Source == "Learned"
	})
	if err != nil {
		t.Fatal(err)
	}
	// Every write of the spec is answered with the starts as they are then.
	ask := func(most string) []startRecord {
		t.Helper()
		if _, err := shared.Kubectl(t.Context(), nil, "patch", "forecast", "model", "-n", ns, "--type=merge", "-p", `{"spec":{"leadTime":{"max":"`+most+`"}}}`); err != nil {
			t.Fatal(err)
		}
		if _, err := shared.Kubectl(t.Context(), nil, "wait", "forecast/model", "-n", ns, "--timeout=60s", "--for=jsonpath={.status.observedGeneration}="+generation(t, ns)); err != nil {
			t.Fatal(err)
		}
		return learned(t, ns)
	}
	time.Sleep(2 * time.Second)
	before := ask("20m")
	least := int((warmUp.Create + warmUp.Load).Seconds())
	if len(before) != 4 {
		t.Fatalf("%d starts are kept, want 4: %+v", len(before), before)
	}
	for _, s := range before {
		if s.Outcome != "Ready" || s.Seconds < least-1 || s.Seconds > least+8 {
			t.Errorf("%+v: want Ready after %d s and what the scheduler and kwok add to that", s, least)
		}
	}

	pods, err := shared.Client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{"False", "True"} {
		at := metav1.Now().UTC().Format(time.RFC3339)
		for _, p := range pods.Items {
			patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":%q,"lastTransitionTime":%q}]}}`, status, at)
			if _, err := shared.Client.CoreV1().Pods(ns).Patch(t.Context(), p.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
	}
	if diff := cmp.Diff(before, ask("21m")); diff != "" {
		t.Errorf("readiness that flaps changed what was learned: -before, +after:\n%s", diff)
	}
}

func generation(t *testing.T, ns string) string {
	t.Helper()
	out, err := shared.Kubectl(t.Context(), nil, "get", "forecast", "model", "-n", ns, "-o", "jsonpath={.metadata.generation}")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
