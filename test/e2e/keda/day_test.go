package keda

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// TestOneDay tests one day of two ScaledObjects, a peak from zero beside it, and then faults.
// Because a day takes minutes, all share it.
func TestOneDay(t *testing.T) {
	w := world(t)
	checkLinted(t, w)
	if err := w.AwaitStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	start := w.Start.Add(150 * time.Second)
	if err := w.Apply(t.Context(), launched(w.Scaler, start)); err != nil {
		t.Fatal(err)
	}
	begin := map[string]simulator.Account{}
	for _, name := range w.Simulator.Names() {
		begin[name] = w.Simulator.State(name).Account
	}
	t.Run("PeakFromZero", func(t *testing.T) { testFromZero(t, w, start) })
	time.Sleep(time.Until(w.Start.Add(day)))
	t.Run("AheadBeatsReactive", func(t *testing.T) {
		checkVerdict(t, w.Simulator.State(reactive).Account.Sub(begin[reactive]),
			w.Simulator.State(ahead).Account.Sub(begin[ahead]))
	})
	t.Logf("memory of KEDA: operator %s, adapter %s", memory(w.KEDA.Operator), memory(w.KEDA.Adapter))
	t.Run("OneReplicaKilled", func(t *testing.T) { testOneReplicaKilled(t, w) })
	t.Run("AllAway", func(t *testing.T) { testAllAway(t, w) })
	if err := w.Failed(); err != nil {
		t.Error(err)
	}
}

// checkLinted checks that Headstart has read the ScaledObject.
func checkLinted(t *testing.T, w *harness.World) {
	t.Helper()
	_, err := harness.AwaitForecast(t.Context(), w.ControlPlane, namespace, ahead, 2*time.Minute,
		func(f *harness.Forecast) bool {
			c := f.Condition("HPALinted")
			return c.Status == metav1.ConditionTrue && strings.Contains(c.Message, "keda-hpa-"+ahead)
		})
	if err != nil {
		t.Error(err)
	}
}

func checkVerdict(t *testing.T, a, b simulator.Account) {
	for name, x := range map[string]simulator.Account{reactive: a, ahead: b} {
		t.Logf("%-10s unserved %6.3f %%, %.3f replica-hours, utilisation %.1f %%", name, 100*x.Unserved(), x.ReplicaHours(),
			100*x.Utilisation())
	}
	if a.Unserved() < 0.02 {
		t.Errorf("the reactive service leaves %.2f %% unserved: the scenario is too easy, want at least 2 %%",
			100*a.Unserved())
	}
	if share := b.Unserved() / a.Unserved(); share > 0.2 {
		t.Errorf("headstart leaves %.3f of the reactive service's share unserved, want at most 0.2", share)
	}
	if hours := b.ReplicaHours() / a.ReplicaHours(); hours > 1.3 {
		t.Errorf("headstart takes %.3f times the replica-hours, want at most 1.3", hours)
	}
}

const (
	launch         = "launch"
	launchReplicas = 4
	launchLasts    = 40 * time.Second
)

// launched returns a workload at 0 replicas, with a declared peak, which only Headstart's trigger
// wakes.
func launched(scaler string, start time.Time) string {
	warmUp := controlplane.WarmUp{Create: 3 * time.Second, Load: 7 * time.Second}
	annotations, err := json.Marshal(warmUp.Annotations())
	if err != nil {
		panic(err) // a map of strings
	}
	return strings.NewReplacer("$NS", namespace, "$NAME", launch, "$ANNOTATIONS", string(annotations), "$SCALER", scaler,
		"$START", start.UTC().Format("2006-01-02T15:04:05"), "$LASTS", launchLasts.String()).Replace(`
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

// testFromZero: at the start of the peak its replicas are Ready. They were created a lead ahead, and
// not from the beginning. After it the target goes back to 0.
func testFromZero(t *testing.T, w *harness.World, start time.Time) {
	replicas := func() (wanted, ready int32) {
		d, err := w.Client.AppsV1().Deployments(namespace).Get(t.Context(), launch, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return *d.Spec.Replicas, d.Status.ReadyReplicas
	}
	time.Sleep(time.Until(start.Add(-90 * time.Second)))
	if wanted, _ := replicas(); wanted != 0 {
		t.Errorf("%d replicas are wanted 90 s before the peak, want 0", wanted)
	}
	var woke time.Duration
	for time.Now().Before(start) {
		if wanted, _ := replicas(); wanted > 0 && woke == 0 {
			woke = time.Until(start)
		}
		time.Sleep(200 * time.Millisecond)
	}
	wanted, ready := replicas()
	t.Logf("woke %s before the peak", woke.Round(time.Second))
	if ready != launchReplicas || wanted != launchReplicas {
		t.Errorf("%d replicas wanted and %d ready when the peak starts, want %d of each", wanted, ready, launchReplicas)
	}
	for deadline := start.Add(launchLasts + 3*time.Minute); ; time.Sleep(500 * time.Millisecond) {
		wanted, _ := replicas()
		if wanted == 0 {
			t.Logf("back at 0 %s after the peak", time.Since(start.Add(launchLasts)).Round(time.Second))
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d replicas are still wanted %s after the peak", wanted, time.Since(start.Add(launchLasts)))
			return
		}
	}
}

// kedaMetric reads the metric of Headstart's trigger through the API server and KEDA, as the HPA
// controller does.
func kedaMetric(t *testing.T, w *harness.World) error {
	path := fmt.Sprintf("/apis/external.metrics.k8s.io/v1beta1/namespaces/%s/s1-%s", namespace, ahead)
	_, err := w.Client.Discovery().RESTClient().Get().AbsPath(path).
		Param("labelSelector", "scaledobject.keda.sh/name="+ahead).DoRaw(t.Context())
	return err
}

// testOneReplicaKilled kills the leader. KEDA's polls do not fail for longer than one interval.
func testOneReplicaKilled(t *testing.T, w *harness.World) {
	leader, err := harness.Leader(t.Context(), w.Adapters)
	if err != nil {
		t.Fatal(err)
	}
	leader.Kill()
	var longest time.Duration
	var since time.Time
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		asked := time.Now()
		err := kedaMetric(t, w)
		switch {
		case err == nil:
			since = time.Time{}
			continue
		case since.IsZero():
			since = asked
			t.Logf("a poll failed: %v", err)
		}
		longest = max(longest, time.Since(since))
	}
	t.Logf("polls failed for at most %s", longest.Round(time.Millisecond))
	if longest > hpaSync {
		t.Errorf("polls failed for %s, want at most a polling interval, %s", longest, hpaSync)
	}
}

// testAllAway stops all of Headstart: the workload keeps its replicas, or has more.
func testAllAway(t *testing.T, w *harness.World) {
	for _, h := range w.Adapters {
		h.Kill()
	}
	before := w.Simulator.State(ahead).Wanted
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		if now := w.Simulator.State(ahead).Wanted; now < before {
			t.Fatalf("%d replicas are wanted, %d when Headstart went away", now, before)
		}
	}
	if err := kedaMetric(t, w); err == nil {
		t.Log("KEDA answers with its fallback")
	} else {
		t.Logf("KEDA answers with an error, and the HPA holds: %v", err)
	}
}
