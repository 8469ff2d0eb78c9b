package kinds_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
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

// learned returns the starts in a Forecast's status.
func learned(t *testing.T, ns string) (starts []startRecord) {
	t.Helper()
	out, err := shared.Kubectl(t.Context(), nil, "get", "forecast", "model", "-n", ns, "-o",
		"jsonpath={.status.leadTime.recentStarts}")
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

// On real pods, the lead is learned from their first transitions to Ready. Readiness that changes
// later has no effect.
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
	_, err = harness.AwaitForecast(t.Context(), shared, ns, "model", timeout, func(f *harness.Forecast) bool {
		return f.Condition("LeadTimeLearned").Status == metav1.ConditionTrue && f.Status.LeadTime.Source == "Learned"
	})
	if err != nil {
		t.Fatal(err)
	}
	// Each write of the spec makes the server write the starts to the status.
	ask := func(most string) []startRecord {
		t.Helper()
		if _, err := shared.Kubectl(t.Context(), nil, "patch", "forecast", "model", "-n", ns, "--type=merge", "-p",
			`{"spec":{"leadTime":{"max":"`+most+`"}}}`); err != nil {
			t.Fatal(err)
		}
		if _, err := shared.Kubectl(t.Context(), nil, "wait", "forecast/model", "-n", ns, "--timeout="+timeout.String(),
			"--for=jsonpath={.status.observedGeneration}="+generation(t, ns)); err != nil {
			t.Fatal(err)
		}
		return learned(t, ns)
	}
	var before []startRecord
	for deadline, i := time.Now().Add(timeout), 0; len(before) < 4 &&
		time.Now().Before(deadline); i++ { // until all four are there
		time.Sleep(2 * time.Second)
		before = ask([]string{"20m", "21m"}[i%2])
	}
	if len(before) != 4 {
		t.Fatalf("%d starts are kept, want 4: %+v", len(before), before)
	}
	pods, err := shared.Client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	took := warmUps(pods.Items)
	least := int((warmUp.Create + warmUp.Load).Seconds())
	for _, s := range before {
		if said := took[s.Pod]; s.Outcome != "Ready" || s.Seconds < least-1 || s.Seconds != said {
			t.Errorf("%+v: want Ready after the %d s that the pod's own conditions say, and %d at least", s, said, least-1)
		}
	}

	for _, status := range []string{"False", "True"} {
		at := metav1.Now().UTC().Format(time.RFC3339)
		for _, p := range pods.Items {
			patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":%q,"lastTransitionTime":%q}]}}`, status, at)
			if _, err := shared.Client.CoreV1().Pods(ns).Patch(t.Context(), p.Name, types.StrategicMergePatchType, []byte(patch),
				metav1.PatchOptions{}, "status"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
	}
	if diff := cmp.Diff(before, ask("22m")); diff != "" {
		t.Errorf("readiness that flaps changed what was learned: -before, +after:\n%s", diff)
	}
}

// warmUps returns the seconds from creation to Ready, by the name that a record has for a pod.
func warmUps(pods []corev1.Pod) map[string]int {
	took := map[string]int{}
	for _, p := range pods {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				took[string(p.UID)[:8]] = int(c.LastTransitionTime.Sub(p.CreationTimestamp.Time).Seconds())
			}
		}
	}
	return took
}

func generation(t *testing.T, ns string) string {
	t.Helper()
	out, err := shared.Kubectl(t.Context(), nil, "get", "forecast", "model", "-n", ns, "-o",
		"jsonpath={.metadata.generation}")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
