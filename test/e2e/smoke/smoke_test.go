// Package smoke tests the common case from end to end, in two or three minutes: Headstart is
// installed, an HPA scales by a Forecast, and a WarmPool holds nodes for a peak to come.
package smoke

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// layout says where the binaries are.
var layout binaries.Layout

func TestMain(m *testing.M) { os.Exit(binaries.RunTests(m, &layout, binaries.WithHeadstart)) }

// timeout bounds every wait. Each takes seconds, but a machine may be slow, or stand still for a
// while.
const timeout = 3 * time.Minute

// The service has a demand of 20, which takes four replicas of one GPU each. The peak takes six.
const (
	namespace = "shop"
	demand    = 20
	usual     = demand / 5
	atPeak    = 6
)

// service is a Deployment with its HPA, a Forecast of a constant query, and a WarmPool that holds
// nodes an hour ahead.
const service = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: model}}
  template:
    metadata: {labels: {app: model}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: server
        image: registry.example/model:1
        resources: {limits: {nvidia.com/gpu: 1}, requests: {cpu: "4", memory: 16Gi}}
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: model, namespace: shop}
spec:
  demand:
    prometheus: {query: vector(20)}
    resolution: 2s
    history: 5m
    settle: 1s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  leadTime: {mode: Fixed, fixed: 10s}
  capacityPerReplica: "5"
  horizon: 2h
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: model, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  minReplicas: 1
  maxReplicas: 8
  metrics:
  - type: External
    external: {metric: {name: model}, target: {type: AverageValue, averageValue: "5"}}
  behavior: {scaleUp: {tolerance: "0"}}
---
apiVersion: headstart.dev/v1alpha1
kind: WarmPool
metadata: {name: warm, namespace: shop}
spec:
  forecastSelector: {}
  limits: {nvidia.com/gpu: "4"}
  nodes: {lead: 1h}
`

// peakAt is a peak of the service that starts at an instant.
func peakAt(start time.Time) string {
	return fmt.Sprintf(`
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: launch, namespace: shop}
spec:
  forecastRefs: [{name: model}]
  timeZone: UTC
  windows: [{name: launch, start: %q, duration: 30m, demand: {atLeast: "30"}}]
`, start.UTC().Format("2006-01-02T15:04:05"))
}

// TestSmoke goes through the life of a service: it is scaled to its demand, a peak is declared and
// nodes are held for it, the peak starts and its replicas take the place of the placeholders.
func TestSmoke(t *testing.T) {
	c := start(t)
	rights, err := os.ReadFile(layout.Root + "/manifests/examples/warm-namespace.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), service+"---\n"+string(rights)); err != nil {
		t.Fatal(err)
	}

	if _, err := harness.AwaitForecast(t.Context(), c, namespace, "model", timeout, harness.Ready); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the HPA scales to the demand", func(s state) bool { return s.replicas == usual && s.ready == usual })
	value, err := harness.ExternalMetric(t.Context(), c, namespace, "model")
	if err != nil || value < demand || value > 1.1*demand {
		t.Errorf("the external metric is %v, %v; want %d", value, err, demand)
	}

	if err := c.Apply(t.Context(), peakAt(time.Now().Add(30*time.Minute))); err != nil {
		t.Fatal(err)
	}
	await(t, c, "nodes are held for the peak, and nothing is scaled", func(s state) bool {
		return s.held == atPeak-usual && s.replicas == usual
	})

	if err := c.Apply(t.Context(), peakAt(time.Now())); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the peak's replicas are ready, and no node is held", func(s state) bool {
		return s.ready == atPeak && s.placeholders == 0
	})
}

// start returns a control plane with six nodes of one GPU, on which Headstart is installed and
// serves.
func start(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.StateRoot, opts.Log = t.TempDir(), t.Output()
	opts.Nodes = []controlplane.NodePool{controlplane.GPUNodes(atPeak, 1)}
	opts.Prometheus = &controlplane.PrometheusOptions{Targets: map[string][]string{}}
	c, err := controlplane.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Install(t.Context(), c, layout, "both", ports[0], "warm"); err != nil {
		t.Fatal(err)
	}
	o := harness.CompressedTime("headstart", ports[0], map[string]string{"default": c.Prometheus.URL})
	o.Args = []string{"--warm-pools"}
	h, err := harness.Serve(t.Context(), c, layout, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AwaitReady(t.Context(), timeout); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", h.Name(), h.Tail())
		}
	})
	return c
}

// state is what the cluster has of the service: its replicas, and the placeholders of its WarmPool.
type state struct {
	replicas, ready    int
	placeholders, held int // all of them, and those that have a node
}

// await polls until the state is as wanted.
func await(t *testing.T, c *controlplane.ControlPlane, what string, ok func(state) bool) {
	t.Helper()
	var last state
	began := time.Now()
	check := func(ctx context.Context) (bool, error) {
		var err error
		if last, err = read(ctx, c); err != nil {
			return false, err
		}
		return ok(last), c.Failed()
	}
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, timeout, true, check)
	if err != nil {
		out, _ := c.Kubectl(t.Context(), nil, "get", "forecast,warmpool,hpa,peaks", "-n", namespace, "-o", "yaml")
		t.Fatalf("%s: %v; the last state was %+v\n%s", what, err, last, out)
	}
	t.Logf("%s: after %s", what, time.Since(began).Round(time.Second))
}

func read(ctx context.Context, c *controlplane.ControlPlane) (state, error) {
	d, err := c.Client.AppsV1().Deployments(namespace).Get(ctx, "model", metav1.GetOptions{})
	if err != nil {
		return state{}, err
	}
	pods, err := c.Client.CoreV1().Pods("headstart-warm").List(ctx, metav1.ListOptions{
		LabelSelector: "headstart.dev/role=placeholder",
	})
	if err != nil {
		return state{}, err
	}
	s := state{replicas: int(*d.Spec.Replicas), ready: int(d.Status.ReadyReplicas)}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			s.placeholders++
			if pods.Items[i].Spec.NodeName != "" {
				s.held++
			}
		}
	}
	return s, nil
}
