package keda

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// A workload at 0 replicas, with a peak that somebody declared and no other demand. Its plan has
// steps of a minute, so a peak that begins on a minute is planned for no earlier than it must be.
const (
	launch      = "launch"
	launchLasts = time.Minute
	// launchAhead is the least time from the creation to the peak.
	launchAhead = 210 * time.Second
	// launchAsleep is how long before the peak nothing may run: the lead and what it is rounded up by
	// (a step for the lead, one for the first replica alone), and 30 seconds for KEDA's poll.
	launchAsleep = 190 * time.Second
	// peakReplicas are what the peak needs.
	peakReplicas = 4
)

func nextMinute(t time.Time) time.Time { return t.Truncate(time.Minute).Add(time.Minute) }

// workload returns a workload at 0 replicas, its Forecast with a declared peak, and a ScaledObject
// that only Headstart's trigger wakes.
func workload(name, scaler string, start time.Time, lasts time.Duration, fallback string) string {
	warmUp := controlplane.WarmUp{Create: 3 * time.Second, Load: 7 * time.Second}
	annotations, err := json.Marshal(warmUp.Annotations())
	if err != nil {
		panic(err) // a map of strings
	}
	return strings.NewReplacer("$NS", namespace, "$NAME", name, "$ANNOTATIONS", string(annotations), "$SCALER", scaler,
		"$START", start.UTC().Format("2006-01-02T15:04:05"), "$LASTS", lasts.String(), "$FALLBACK", fallback).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: $NAME, namespace: $NS}
spec:
  replicas: 0
  selector: {matchLabels: {app: $NAME}}
  template:
    metadata: {labels: {app: $NAME}, annotations: $ANNOTATIONS}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: model, image: example.com/model:1}]
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: $NAME, namespace: $NS}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  capacityPerReplica: "5"
  leadTime: {mode: Learned, default: 20s}
  horizon: 1h
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: $NAME, namespace: $NS}
spec:
  forecastRefs: [{name: $NAME}]
  timeZone: UTC
  windows:
  - {name: launch, start: "$START", duration: $LASTS, demand: {atLeast: "20"}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: $NAME, namespace: $NS}
spec:
  scaleTargetRef: {name: $NAME}
  pollingInterval: 5
  cooldownPeriod: 5
  minReplicaCount: 0
  maxReplicaCount: 10
  $FALLBACK
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp: {tolerance: "0"}
        scaleDown: {tolerance: "0", stabilizationWindowSeconds: 5}
  triggers:
  - type: external-push
    metadata: {scalerAddress: "$SCALER", enableTLS: "true", forecast: $NAME}
    authenticationRef: {name: headstart, kind: ClusterTriggerAuthentication}
`)
}

// replicas returns how many replicas of a workload are wanted, and how many are Ready.
func replicas(t *testing.T, w *harness.World, name string) (wanted, ready int32) {
	t.Helper()
	d, err := w.Client.AppsV1().Deployments(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return *d.Spec.Replicas, d.Status.ReadyReplicas
}

// testFromZero: at the start of the peak its replicas are Ready. They were created ahead, and not
// from the beginning. After it the target goes back to 0.
func testFromZero(t *testing.T, w *harness.World, start time.Time) {
	var woke time.Duration
	for time.Now().Before(start) {
		if wanted, _ := replicas(t, w, launch); wanted > 0 && woke == 0 {
			woke = time.Until(start)
		}
		time.Sleep(200 * time.Millisecond)
	}
	wanted, ready := replicas(t, w, launch)
	t.Logf("woke %s before the peak", woke.Round(time.Second))
	if woke > launchAsleep {
		t.Errorf("the workload woke %s before the peak, want at most %s", woke, launchAsleep)
	}
	if ready != peakReplicas || wanted != peakReplicas {
		t.Errorf("%d replicas wanted and %d ready when the peak starts, want %d of each", wanted, ready, peakReplicas)
	}
	end := start.Add(launchLasts)
	for deadline := end.Add(3 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		wanted, _ := replicas(t, w, launch)
		if wanted == 0 {
			t.Logf("back at 0 %s after the peak", time.Since(end).Round(time.Second))
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d replicas are still wanted %s after the peak", wanted, time.Since(end))
			return
		}
	}
}
