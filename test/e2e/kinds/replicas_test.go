package kinds_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"headstart.dev/headstart/test/harness"
)

// servedInReplicas is a service with a demand of 20. One HPA reads the external metric in replicas,
// and another, of a second Deployment, the Object metric.
const servedInReplicas = `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $NAME, namespace: $NS}
spec:
  replicas: 1
  selector: {matchLabels: {app: $NAME}}
  template:
    metadata: {labels: {app: $NAME}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: model, image: example.com/model:1}]
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: $NAME, namespace: $NS}
spec:
  demand:
    prometheus: {query: vector(20)}
    resolution: 2s
    history: 5m
    settle: 1s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  capacityPerReplica: "5"
  serve: {unit: Replicas}
  leadTime: {mode: Fixed, fixed: 10s}
  horizon: 1h
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: $NAME, namespace: $NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  minReplicas: 1
  maxReplicas: 20
  metrics:
  - $METRIC
  behavior: {scaleUp: {tolerance: "0"}}
`

// The doors serve demand divided by capacity. When the capacity changes, the replicas follow, and
// nobody changes the HPA.
func TestServedInReplicas(t *testing.T) {
	t.Parallel() // waits most of the time
	ns := namespace(t)
	for name, metric := range map[string]string{
		"external": `{type: External, external: {metric: {name: external}, target: {type: AverageValue, averageValue: "1"}}}`,
		"object": `{type: Object, object: {metric: {name: demand}, target: {type: AverageValue, averageValue: "1"}, ` +
			`describedObject: {apiVersion: headstart.dev/v1alpha1, kind: Forecast, name: object}}}`,
	} {
		yaml := strings.NewReplacer("$NS", ns, "$NAME", name, "$METRIC", metric).Replace(servedInReplicas)
		if err := shared.Apply(t.Context(), yaml); err != nil {
			t.Fatal(err)
		}
		if _, err := harness.AwaitForecast(t.Context(), shared, ns, name, timeout, func(f *harness.Forecast) bool {
			return harness.Ready(f) && f.Condition("HPALinted").Reason == "Follows"
		}); err != nil {
			t.Fatal(err)
		}
		awaitReplicas(t, ns, name, 4)
	}
	value, err := harness.ExternalMetric(t.Context(), shared, ns, "external")
	if err != nil || math.Abs(value-4) > 1e-9 {
		t.Errorf("the external metric is %v, %v; want 4 replicas", value, err)
	}
	for _, name := range []string{"external", "object"} {
		if out, err := shared.Kubectl(t.Context(), nil, "-n", ns, "patch", "forecast", name, "--type=merge",
			"-p", `{"spec": {"capacityPerReplica": "2"}}`); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		awaitReplicas(t, ns, name, 10)
	}
}

// A Forecast in replicas has to say what one serves: the HPA does not.
func TestServedInReplicasNeedsACapacity(t *testing.T) {
	t.Parallel()
	yaml := strings.NewReplacer("$NS", namespace(t), "$NAME", "model", "$METRIC", "{}", `  capacityPerReplica: "5"`, "").
		Replace(servedInReplicas)
	_, forecast, _ := strings.Cut(yaml, "apiVersion: headstart.dev")
	forecast, _, _ = strings.Cut("apiVersion: headstart.dev"+forecast, "---")
	err := shared.Apply(t.Context(), forecast)
	if err == nil || !strings.Contains(err.Error(), "needs capacityPerReplica") {
		t.Errorf("the API server answered %v, want what is missing", err)
	}
}

// awaitReplicas waits until a Deployment has so many replicas.
func awaitReplicas(t *testing.T, ns, name string, want int32) {
	t.Helper()
	var got int32
	const every = 500 * time.Millisecond
	err := wait.PollUntilContextTimeout(t.Context(), every, timeout, true, func(ctx context.Context) (bool, error) {
		d, err := shared.Client.AppsV1().Deployments(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		got = *d.Spec.Replicas
		return got == want, nil
	})
	if err != nil {
		t.Fatalf("%s has %d replicas, want %d: %v", name, got, want, err)
	}
}
