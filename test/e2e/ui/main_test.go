// Package ui_test checks the page of headstart ui: a real browser, on a real control plane with 200
// Forecasts that a real server plans.
package ui_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/browser"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// world is what all tests share.
var world struct {
	layout     binaries.Layout
	cluster    *controlplane.ControlPlane
	prometheus string
	browser    *browser.Browser
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b, err := browser.Start(ctx)
	if errors.Is(err, browser.ErrNone) && os.Getenv("CI") == "" {
		fmt.Fprintln(os.Stderr, "THE PAGE IS NOT SEEN IN A BROWSER:", err)
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = b.Close() }()
	world.browser = b
	stop, err := start(ctx)
	defer stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// start starts a control plane, a Prometheus and Headstart, and applies the fleet.
func start(ctx context.Context) (stop func(), err error) {
	var undo []func()
	stop = func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	if world.layout, err = binaries.WithHeadstart(ctx, os.Stderr); err != nil {
		return stop, err
	}
	c, err := controlplane.Start(ctx, controlplane.DefaultOptions(world.layout.Bin))
	if err != nil {
		return stop, err
	}
	undo = append(undo, c.Stop)
	world.cluster = c
	prom, err := c.StartPrometheus(ctx,
		controlplane.PrometheusOptions{Name: "prometheus", Targets: map[string][]string{}, ScrapeInterval: time.Second})
	if err != nil {
		return stop, err
	}
	world.prometheus = prom.URL
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		return stop, err
	}
	if err := harness.Install(ctx, c, world.layout, "both", ports[0]); err != nil {
		return stop, err
	}
	h, err := harness.Serve(ctx, c, world.layout,
		harness.CompressedTime("headstart", ports[0], map[string]string{"default": prom.URL}))
	if err != nil {
		return stop, err
	}
	undo = append(undo, h.Kill)
	if err := h.AwaitReady(ctx, 3*time.Minute); err != nil {
		return stop, err
	}
	return stop, applyFleet(ctx, c)
}

// forecasts is the number of Forecasts.
const forecasts = 200

// wave is demand with a daily rhythm and no stored history: Prometheus computes it for any time.
const wave = `100 - 60 * cos(vector(time()) * 2 * pi() / 86400)`

// applyFleet applies Forecasts in two namespaces, half of them in each, with what belongs to one of
// them, and a user who may view the namespace shop alone.
func applyFleet(ctx context.Context, c *controlplane.ControlPlane) error {
	var y strings.Builder
	for _, ns := range []string{"shop", "research"} {
		fmt.Fprintf(&y, "---\n{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n", ns)
	}
	if err := c.Apply(ctx, y.String()); err != nil {
		return err
	}
	y.Reset()
	y.WriteString(deployment(0, "shop") + "---\n" + aroundTheFirst)
	for i := range forecasts {
		ns, query := "shop", fmt.Sprintf("%s + %d", wave, i)
		if i%2 == 1 {
			ns = "research"
		}
		if i%20 == 5 {
			query = "nothing_of_this_name"
		}
		if i > 0 {
			fmt.Fprintf(&y, "---\n%s", deployment(i, ns))
		}
		fmt.Fprintf(&y, `---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: model-%03d, namespace: %s}
spec:
  demand: {prometheus: {query: '%s'}, resolution: 10m, history: 7d}
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model-%03d}
  leadTime: {mode: Fixed, fixed: 10m}
  capacityPerReplica: "5"
  provisionFor: {serviceLevel: "0.95"}
`, i, ns, query, i)
	}
	return c.Apply(ctx, y.String())
}

// deployment returns the target of a Forecast.
func deployment(i int, ns string) string {
	name := fmt.Sprintf("model-%03d", i)
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: model, image: example.com/model:1}]}
`, name, ns)
}

// aroundTheFirst is what belongs to the first Forecast.
const aroundTheFirst = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: model-000, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: model-000}
  minReplicas: 2
  maxReplicas: 60
  metrics:
  - type: External
    external: {metric: {name: model-000}, target: {type: AverageValue, averageValue: "5"}}
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: lunch, namespace: shop}
spec:
  forecastRefs: [{name: model-000}]
  timeZone: UTC
  windows: [{name: noon, schedule: "0 12 * * *", duration: 1h, demand: {atLeast: "300"}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: reader, namespace: shop}]
`
