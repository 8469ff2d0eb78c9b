// Package replay_test compares the dry run with the server on a real control plane: `headstart
// report` must plan what `headstart serve` planned.
package replay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

const (
	step    = 10 * time.Second
	period  = 360           // steps of an "hour" that repeats
	history = 17280         // steps that a fit uses: two days
	ahead   = 10 * 6        // steps of the future that Prometheus has at the start of the test
	wanted  = 4             // number of plans by each leader
	ns      = "replay-plan" // namespace of the Forecast
)

// demand is periodic with autocorrelated noise. The value of a step is that of the sample at its
// end.
func demand(n int) []float64 {
	rng := rand.New(rand.NewPCG(11, 6))
	out, x := make([]float64, n), 0.0
	for i := range out {
		x = 0.95*x + 0.02*rng.NormFloat64()
		out[i] = math.Round(1000*(60-45*math.Cos(2*math.Pi*float64(i)/period))*math.Exp(x)) / 1000
	}
	return out
}

// The plan that serve publishes at T is the one that report computes for T, from the same history,
// with a fixed lead and the same HPA. A restart of the leader changes nothing.
func TestServePlansWhatReportReplays(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // the binaries may have to be built
	defer cancel()
	layout, err := binaries.WithHeadstart(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := controlplane.Start(ctx, controlplane.DefaultOptions(layout.Bin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	prometheus := startPrometheus(ctx, t, c)
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Install(ctx, c, layout, "external-metrics", ports[0]); err != nil {
		t.Fatal(err)
	}
	o := harness.CompressedTime("headstart", ports[0], map[string]string{"default": prometheus})
	o.HPASync = 15 * time.Second // as in a cluster, and so in a report
	o.Args = []string{"--custom-metrics=false"}
	served := map[time.Time]*harness.Plan{}
	var sources []string
	for leader := range 2 {
		h, err := harness.Serve(ctx, c, layout, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.AwaitReady(ctx, 3*time.Minute); err != nil {
			t.Fatal(err)
		}
		if leader == 0 {
			if err := c.Apply(ctx, service); err != nil {
				t.Fatal(err)
			}
		}
		sources = append(sources, collect(ctx, t, c, served, h))
		h.Kill()
	}
	t.Logf("plans from %s", sources)
	compare(t, served, replayed(ctx, t, c, layout, prometheus, served))
}

const service = `
apiVersion: v1
kind: Namespace
metadata: {name: replay-plan}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, namespace: replay-plan}
spec:
  replicas: 0
  selector: {matchLabels: {app: model}}
  template:
    metadata: {labels: {app: model}}
    spec: {containers: [{name: model, image: example.com/model:1}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: model, namespace: replay-plan}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  minReplicas: 1
  maxReplicas: 25
  metrics:
  - type: External
    external: {metric: {name: model}, target: {type: AverageValue, averageValue: "5"}}
  behavior:
    scaleUp:
      tolerance: "0"
      policies: [{type: Percent, value: 900, periodSeconds: 15}, {type: Pods, value: 20, periodSeconds: 15}]
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: model, namespace: replay-plan}
spec:
  demand:
    prometheus: {query: demand}
    resolution: 10s
    history: 2d
    settle: 1s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  leadTime: {mode: Fixed, fixed: 65s}
  provisionFor: {serviceLevel: "0.95"}
  horizon: 1h
`

// startPrometheus starts a Prometheus that has the demand of the past, and of the time of the test.
func startPrometheus(ctx context.Context, t *testing.T, c *controlplane.ControlPlane) (url string) {
	t.Helper()
	p, err := c.StartPrometheus(ctx, controlplane.PrometheusOptions{
		Targets: map[string][]string{}, ScrapeInterval: 3 * time.Second,
		History: func(path string) error {
			const past = history + 3000 // more than the time between two fits
			values := demand(past + ahead)
			begin := time.Now().Truncate(step).Add(-past * step)
			var b bytes.Buffer
			b.WriteString("# TYPE demand gauge\n")
			for i, v := range values {
				fmt.Fprintf(&b, "demand %g %d\n", v, begin.Add(time.Duration(i+1)*step).Unix())
			}
			b.WriteString("# EOF\n")
			return os.WriteFile(path, b.Bytes(), 0o600)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p.URL
}

// collect waits for plans of this leader, and returns the times of the first and the last.
func collect(ctx context.Context, t *testing.T, c *controlplane.ControlPlane, into map[time.Time]*harness.Plan,
	h *harness.Headstart,
) string {
	t.Helper()
	before := len(into)
	first, last := "", ""
	for len(into) < before+wanted {
		fc, err := harness.AwaitForecast(ctx, c, ns, "model", 3*time.Minute, func(f *harness.Forecast) bool {
			return f.Status.Plan != nil && into[f.Status.Plan.Start.UTC()] == nil
		})
		if err != nil {
			t.Fatalf("%v\nthe end of the log of %s:\n%s", err, h.Name(), h.Tail())
		}
		if got := fc.Condition("Skilled"); got.Status != "True" {
			t.Fatalf("Skilled = %+v: without a skilled forecast the plans say nothing, and nothing is compared", got)
		}
		last = fc.Status.Plan.Start.UTC().Format(time.TimeOnly)
		if first == "" {
			first = last
		}
		into[fc.Status.Plan.Start.UTC()] = fc.Status.Plan
	}
	return first + " to " + last
}

// replayed returns the plans of headstart report, from the first served one on, by their start.
func replayed(ctx context.Context, t *testing.T, c *controlplane.ControlPlane, layout binaries.Layout,
	prometheus string, served map[time.Time]*harness.Plan,
) map[time.Time]*harness.Plan {
	t.Helper()
	// A replay plans at the beginning of a step whose demand it has, so the step after the last plan
	// must be over.
	starts := slices.SortedFunc(maps.Keys(served), time.Time.Compare)
	time.Sleep(time.Until(starts[len(starts)-1].Add(step + time.Second)))
	file := filepath.Join(t.TempDir(), "plans.json")
	cmd := exec.CommandContext(ctx, filepath.Join(layout.Bin, "headstart"), "report", "--kubeconfig", c.Kubeconfig,
		"--forecast", ns+"/model",
		"--prometheus", prometheus, "--history", "2d8h", "--policies", "headstart,oracle",
		"--from", starts[0].Format(time.RFC3339), "--plans", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("headstart report: %v\n%s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[time.Time]*harness.Plan{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p harness.Plan
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		out[p.Start.UTC()] = &p
	}
	return out
}

func compare(t *testing.T, served, replayed map[time.Time]*harness.Plan) {
	t.Helper()
	for at, plan := range served {
		other := replayed[at]
		if other == nil {
			t.Errorf("report has no plan of %s; it has %d", at, len(replayed))
			continue
		}
		if !plan.End.Equal(&other.End) {
			t.Errorf("the plan of %s ends at %s in serve, and at %s in report", at, plan.End, other.End)
		}
		if diff := cmp.Diff(plan.Segments, other.Segments); diff != "" {
			t.Errorf("the plan of %s: -serve +report\n%s", at, diff)
		}
		if len(plan.Segments) == 0 || len(plan.Segments[0].Values) < 100 {
			t.Errorf("the plan of %s says too little to be compared: %+v", at, plan.Segments)
		}
	}
	t.Logf("%d plans compared", len(served))
}
