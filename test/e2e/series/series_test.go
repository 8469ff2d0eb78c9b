// Package series_test checks which replica exports the series that alerts read, on a real control
// plane with two replicas.
package series_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

const (
	namespace = "shop"
	forecasts = 6
	timeout   = 3 * time.Minute
)

// objects are a workload and its Forecasts. The last one has a query without a series.
func objects() string {
	text := `
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
    spec: {containers: [{name: model, image: example.com/model:1}]}
`
	for i := range forecasts {
		query := "vector(20)"
		if i == forecasts-1 {
			query = "nothing_of_this_name"
		}
		text += fmt.Sprintf(`
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: f%d, namespace: shop}
spec:
  demand: {prometheus: {query: %s}, resolution: 2s, history: 5m, settle: 1s}
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  leadTime: {mode: Fixed, fixed: 10s}
  capacityPerReplica: "5"
  horizon: 2h
`, i, query)
	}
	return text
}

// TestSeriesOfReplicas: what watches for absence comes from every replica. What is about a Forecast
// comes from its owner, and from the other replica once that one is gone.
func TestSeriesOfReplicas(t *testing.T) {
	ctx := t.Context()
	layout, err := binaries.WithHeadstart(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	c, prometheus, ports := cluster(t, layout)
	var replicas []*harness.Headstart
	for i, port := range ports {
		o := harness.CompressedTime(fmt.Sprintf("headstart-%d", i), port, map[string]string{"default": prometheus})
		h, err := harness.Serve(ctx, c, layout, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Kill)
		if err := h.AwaitReady(ctx, timeout); err != nil {
			t.Fatal(err)
		}
		replicas = append(replicas, h)
	}
	if err := c.Apply(ctx, objects()); err != nil {
		t.Fatal(err)
	}
	await(t, replicas, func(all []string) string {
		for i, text := range all {
			for _, line := range []string{
				fmt.Sprintf("headstart_forecasts %d", forecasts), "headstart_replicas 2",
				"headstart_controller_overload_level 0",
				`headstart_adapter_certificate_expiration_timestamp_seconds{certificate="serving"} `,
				`headstart_adapter_certificate_expiration_timestamp_seconds{certificate="ca"} `,
			} {
				if !strings.Contains(text, "\n"+line) {
					return fmt.Sprintf("replica %d does not export %s", i, line)
				}
			}
		}
		return owned(strings.Join(all, "\n"))
	})
	replicas[0].Kill()
	await(t, replicas[1:], func(all []string) string {
		if !strings.Contains(all[0], "\nheadstart_replicas 1\n") {
			return "the replica that is left still sees two"
		}
		return owned(all[0])
	})
}

// owned returns what is wrong with the series of Forecasts in the metrics of all replicas.
func owned(text string) string {
	const ready = `headstart_forecast_condition{forecast="f%d",namespace="shop",type="Ready"} %d`
	for i := range forecasts {
		value := 1
		if i == forecasts-1 {
			value = 0
		}
		if n := strings.Count(text, fmt.Sprintf(ready+"\n", i, value)); n != 1 {
			return fmt.Sprintf("%d series say that Ready of f%d is %d, want 1", n, i, value)
		}
	}
	for _, series := range []string{
		`headstart_source_polls_total{result="Answered",source="default"} `,
		`headstart_source_polls_total{result="NoSeries",source="default"} `,
		`headstart_forecast_plan_peak_demand{forecast="f0",namespace="shop",within="1h"} `,
		`headstart_forecast_plan_end_timestamp_seconds{forecast="f0",namespace="shop"} `,
	} {
		if !strings.Contains(text, "\n"+series) {
			return "nobody exports " + series
		}
	}
	return ""
}

// await scrapes replicas until wrong finds nothing.
func await(t *testing.T, replicas []*harness.Headstart, wrong func([]string) string) {
	t.Helper()
	for deadline := time.Now().Add(timeout); ; time.Sleep(200 * time.Millisecond) {
		var all []string
		var said string
		for _, h := range replicas {
			text, err := h.Metrics(t.Context())
			if err != nil {
				said = err.Error()
				break
			}
			all = append(all, "\n"+text)
		}
		if said == "" {
			said = wrong(all)
		}
		if said == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(said)
		}
	}
}

// cluster starts a control plane with a Prometheus and with Headstart's objects. It returns the ports
// of two replicas; the API server reaches the first.
func cluster(t *testing.T, layout binaries.Layout) (*controlplane.ControlPlane, string, []int) {
	t.Helper()
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.StateRoot = t.TempDir()
	c, err := controlplane.Start(context.WithoutCancel(t.Context()), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	ports, err := controlplane.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.StartPrometheus(t.Context(), controlplane.PrometheusOptions{
		Name: "prometheus", Targets: map[string][]string{}, ScrapeInterval: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Install(t.Context(), c, layout, "both", ports[0]); err != nil {
		t.Fatal(err)
	}
	return c, p.URL, ports
}
