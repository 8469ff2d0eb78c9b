package kinds_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/harness"
)

// TestQuickStart runs the commands of docs/quickstart.md, but for those that need kind: the control
// plane stands for its cluster, and Headstart runs beside it. At the end the HPA follows the plan.
func TestQuickStart(t *testing.T) {
	run := administrator(t)
	ran := 0
	for _, line := range pageCommands(t, "quickstart.md") {
		if elsewhere.MatchString(line) {
			continue
		}
		ran++
		out, err := run(line)
		t.Logf("$ %s\n%s", line, out)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if ran < 8 {
		t.Errorf("only %d commands were found", ran)
	}
	// The wave needs from 2 to 12 replicas.
	for deadline := time.Now().Add(timeout); ; time.Sleep(200 * time.Millisecond) {
		out, err := run(`kubectl get hpa wave -o jsonpath='{.status.desiredReplicas}'`)
		if err == nil && out != "" && out != "0" && out != "1" {
			return
		}
		if time.Now().After(deadline) {
			out, _ := run("kubectl describe hpa wave; kubectl headstart status wave")
			t.Fatalf("the HPA does not follow the plan:\n%s", out)
		}
	}
}

// elsewhere are the commands that make a cluster, install what the control plane has already, wait
// for pods that the control plane only pretends to run, and serve a page until they are
// interrupted.
var elsewhere = regexp.MustCompile(`^(make|kind|export) |headstart ui( |$)|rollout status|-k manifests/`)

// administrator returns what runs a line of a page in the repository, for somebody who may do
// everything. The Prometheus of the page is that of the control plane.
func administrator(t *testing.T) func(line string) (string, error) {
	t.Helper()
	layout, err := binaries.FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, target := range map[string]string{"kubectl": "kubectl", "kubectl-headstart": "headstart"} {
		if err := os.Symlink(filepath.Join(layout.Bin, target), filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return func(line string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", withPrometheus(line))
		cmd.Dir = layout.Root
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+shared.Kubeconfig)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

// findsPrometheus matches commands that look for a Prometheus in the cluster.
var findsPrometheus = regexp.MustCompile(`^kubectl headstart (plot|report) [^-]`)

// withPrometheus puts the Prometheus of the control plane in the place of that of the pages, also where
// a command finds it: the control plane has no pods behind a Service.
func withPrometheus(line string) string {
	if command, _, _ := strings.Cut(line, " #"); findsPrometheus.MatchString(line) &&
		!strings.Contains(command, "--prometheus") {
		line = strings.TrimSpace(command) + " --prometheus " + goodURL
	}
	return strings.NewReplacer("http://localhost:9090", goodURL, "monitoring/prometheus:9090", goodURL).Replace(line)
}

// pageCommands returns the lines for a shell of a page of docs.
func pageCommands(t *testing.T, page string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// reads are the commands that only look at something.
var reads = regexp.MustCompile(
	`^kubectl (-n \S+ )?(get|describe|auth can-i|headstart (status|explain|startup|plot|preflight)) `)

// besideShop is what pages look at in the namespace shop, beside the Forecasts of [shop].
const besideShop = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: face-fusion, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  maxReplicas: 40
  metrics:
  - {type: External, external: {metric: {name: face-fusion}, target: {type: AverageValue, averageValue: "5"}}}
---
apiVersion: headstart.dev/v1alpha1
kind: WarmPool
metadata: {name: gpus, namespace: shop}
spec: {forecastSelector: {}, mode: DryRun}
`

// TestReadingCommands runs the commands of runbooks and of other pages that only look at something.
func TestReadingCommands(t *testing.T) {
	for _, objects := range []string{
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n", shop("shop"), besideShop,
	} {
		if err := shared.Apply(t.Context(), objects); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := harness.AwaitForecast(t.Context(), shared, "shop", "face-fusion", timeout, harness.Ready); err != nil {
		t.Fatal(err)
	}
	awaitMetric(t, "shop", "face-fusion", "above 0", func(v float64) bool { return v > 0 })
	run, ran := administrator(t), 0
	for _, page := range []string{
		"alerts.md", "conditions.md", "forecasting.md", "leadtime.md", "troubleshooting.md", "warmpool.md",
	} {
		for _, line := range pageCommands(t, page) {
			line, _, _ = strings.Cut(line, " #")
			line, _, _ = strings.Cut(line, " | ") // what follows searches for what need not be there
			if !reads.MatchString(line) {
				continue
			}
			ran++
			if out, err := run(line); err != nil || out == "" {
				t.Errorf("%s: %s: %v\n%s", page, line, err, out)
			}
		}
	}
	if ran < 20 {
		t.Errorf("only %d commands were found", ran)
	}
}
