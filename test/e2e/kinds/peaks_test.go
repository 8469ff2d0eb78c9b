package kinds_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
)

// warmUp is that of the launched service's pods.
var warmUp = controlplane.WarmUp{Create: 3 * time.Second, Load: 9 * time.Second}

// launched returns a service without history, its HPA, and a peak of demand 20, which is four
// replicas, that starts at an instant.
func launched(ns, name, zone string, start time.Time, extra string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic(err) // a zone of this file
	}
	annotations := ""
	for k, v := range warmUp.Annotations() {
		annotations += fmt.Sprintf("        %s: %q\n", k, v)
	}
	return strings.NewReplacer("$NS", ns, "$NAME", name, "$ZONE", zone, "$START",
		start.In(loc).Format("2006-01-02T15:04:05"),
		"$ANNOTATIONS", annotations, "$EXTRA", extra).Replace(`
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $NAME, namespace: $NS}
spec:
  replicas: 1
  selector: {matchLabels: {app: $NAME}}
  template:
    metadata:
      labels: {app: $NAME}
      annotations:
$ANNOTATIONS
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
  leadTime: {mode: Learned, default: 12s}
  horizon: 1h
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: $NAME, namespace: $NS}
spec:
  forecastRefs: [{name: $NAME}]
  timeZone: $ZONE
  windows:
  - {name: launch, start: "$START", duration: 2m, demand: {atLeast: "20"}}
$EXTRA
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: $NAME, namespace: $NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - type: External
    external: {metric: {name: $NAME}, target: {type: AverageValue, averageValue: "5"}}
  behavior: {scaleUp: {tolerance: "0"}}
`)
}

// When a peak of a service without history starts, its replicas are ready. A peak on a day that is
// excluded does nothing.
func TestPeakIsReadyAtItsStart(t *testing.T) {
	t.Parallel() // waits most of the time
	const zone = "Asia/Shanghai"
	ns := namespace(t)
	start := time.Now().Add(150 * time.Second).Truncate(time.Second)
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	today := start.In(loc).Format(time.DateOnly)
	calendar := "\n---\napiVersion: headstart.dev/v1alpha1\nkind: Calendar\nmetadata: {name: quiet-days}\n" +
		"spec: {days: [{name: Quiet day, dates: [\"" + today + "\"]}]}\n"
	yaml := calendar + launched(ns, "launch", zone, start, "") + launched(ns, "quiet", zone, start,
		"  except: {calendars: [quiet-days]}")
	if err := shared.Apply(t.Context(), yaml); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(start))
	for name, want := range map[string]int32{"launch": 4, "quiet": 1} {
		d, err := shared.Client.AppsV1().Deployments(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d.Status.ReadyReplicas != want || *d.Spec.Replicas != want {
			t.Errorf("%s: %d replicas wanted and %d ready when the window starts, want %d of each", name, *d.Spec.Replicas,
				d.Status.ReadyReplicas, want)
		}
	}
	// The replicas were created a lead ahead, not from the beginning.
	pods, err := shared.Client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=launch"})
	if err != nil {
		t.Fatal(err)
	}
	early := 0
	for i := range pods.Items {
		if ahead := start.Sub(pods.Items[i].CreationTimestamp.Time); ahead < 140*time.Second {
			early++
			t.Logf("a replica was created %s before the window", ahead.Round(time.Second))
		}
	}
	if early < 3 {
		t.Errorf("only %d replicas were created for the window, after the service itself", early)
	}
}
