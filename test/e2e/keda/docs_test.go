package keda

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// TestDocs runs the commands of docs/keda.md as a new user does, in a cluster with KEDA, a workload
// and a Prometheus that knows its demand. At the end the ScaledObject scales ahead.
func TestDocs(t *testing.T) {
	t.Parallel()
	began := time.Now()
	user := newUser(t)
	for _, step := range docSteps(t) {
		if step.heading == afterInstall {
			user.serve(t) // the pods that the manifests make only pretend to run
		}
		if step.heading == beforeConvert {
			if err := user.Apply(t.Context(), withCron); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range step.commands {
			out, err := user.run(t, line)
			t.Logf("$ %s\n%s", line, out)
			if err != nil {
				t.Fatalf("%s: %s: %v", step.heading, line, err)
			}
		}
	}
	awaitAhead(t, user)
	checkConverted(t, user)
	t.Logf("from a cluster with KEDA to a ScaledObject that scales ahead in %s", time.Since(began).Round(time.Second))
}

// docStep is a section of the page with commands for a shell.
type docStep struct {
	heading  string
	commands []string
}

// afterInstall is the section after the one that installs Headstart.
const afterInstall = "2. Let KEDA trust it"

// beforeConvert is the section that converts a ScaledObject with cron triggers.
const beforeConvert = "From a ScaledObject with cron triggers"

// withCron is such a ScaledObject. Its target need not exist.
const withCron = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: web, namespace: default}
spec:
  scaleTargetRef: {name: web}
  minReplicaCount: 1
  maxReplicaCount: 20
  triggers:
  - type: cron
    metadata: {timezone: Europe/Berlin, start: 0 8 * * 1-5, end: 0 18 * * 1-5, desiredReplicas: "10"}
`

// docSteps returns the commands of the page.
func docSteps(t *testing.T) []docStep {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(layout.Root, "docs", "keda.md"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []docStep
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	for section := range strings.SplitSeq(string(text), "\n## ") {
		heading, _, _ := strings.Cut(section, "\n")
		step := docStep{heading: heading}
		for _, found := range block.FindAllStringSubmatch(section, -1) {
			for line := range strings.Lines(found[1]) {
				step.commands = append(step.commands, strings.TrimSpace(line))
			}
		}
		if len(step.commands) > 0 {
			steps = append(steps, step)
		}
	}
	if len(steps) < 5 || steps[1].heading != afterInstall {
		t.Fatalf("docs/keda.md has other steps than this test: %+v", steps)
	}
	return steps
}

// user is somebody with a shell in the repository, and an administrator of a cluster.
type user struct {
	*controlplane.ControlPlane
	path       string
	prometheus string
	names      *nameProxy
}

// newUser makes the cluster.
func newUser(t *testing.T) *user {
	t.Helper()
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.StateRoot, opts.Log, opts.HPASyncPeriod = t.TempDir(), t.Output(), hpaSync
	c, err := controlplane.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	u := &user{ControlPlane: c, path: t.TempDir(), names: newNameProxy(t)}
	for name, binary := range map[string]string{"kubectl": "kubectl", "kubectl-headstart": "headstart"} {
		if err := os.Symlink(filepath.Join(layout.Bin, binary), filepath.Join(u.path, name)); err != nil {
			t.Fatal(err)
		}
	}
	proxy := "=" + u.names.server.URL
	if _, err := harness.StartKEDA(t.Context(), c, layout, "HTTP_PROXY"+proxy, "HTTPS_PROXY"+proxy); err != nil {
		t.Fatal(err)
	}
	u.startPrometheus(t)
	// The pods load for longer than the test lasts, so the lead is the default of five minutes.
	annotations, err := json.Marshal(controlplane.WarmUp{Create: time.Minute, Load: 9 * time.Minute}.Annotations())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), strings.Replace(llmYAML, "$ANNOTATIONS", string(annotations), 1)); err != nil {
		t.Fatal(err)
	}
	return u
}

// llmYAML is the workload that the page scales.
const llmYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}, annotations: $ANNOTATIONS}
    spec: {containers: [{name: llm, image: example.com/llm:1}]}
`

// run runs a line of the page in the repository. A file that it writes is left in a folder of the
// test.
func (u *user) run(t *testing.T, line string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.ReplaceAll(line, "> ", "> "+u.path+"/"))
	cmd.Dir = layout.Root
	cmd.Env = append(os.Environ(), "PATH="+u.path+":"+os.Getenv("PATH"), "KUBECONFIG="+u.Kubeconfig)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// serve runs one replica, and lets KEDA reach it by the name of the Service.
func (u *user) serve(t *testing.T) {
	t.Helper()
	ports, err := controlplane.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	o := harness.CompressedTime("headstart", ports[0], map[string]string{"default": u.prometheus})
	o.HPASync = hpaSync
	o.Doors = harness.KEDADoor(ports[1])
	o.Args = []string{"--leader-elect=false"} // nobody would start it again
	h, err := harness.Serve(t.Context(), u.ControlPlane, layout, o)
	if err != nil {
		t.Fatal(err)
	}
	u.names.set("headstart-scaler.headstart-system.svc:9443", "127.0.0.1:"+strconv.Itoa(ports[1]))
	if err := h.AwaitReady(t.Context(), 3*time.Minute); err != nil {
		t.Fatal(err)
	}
}

// The demand of the workload is quiet requests/s, and busy ones for two hours of each day. These
// begin soon after the test does.
const quiet, busy = 20.0, 100.0

// startPrometheus starts a Prometheus with two weeks of demand.
func (u *user) startPrometheus(t *testing.T) {
	t.Helper()
	const period, lasts, ramp = 24 * time.Hour, 2 * time.Hour, 2 * time.Minute
	begin := nextMinute(time.Now()).Add(3*time.Minute - 14*period)
	// total is the counter: the integral of the demand since begin.
	total := func(at time.Time) float64 {
		since := at.Sub(begin)
		days, rest := float64(since/period), since%period
		rising := min(rest, ramp).Seconds()
		extra := min(rest, lasts).Seconds() - rising + rising*rising/ramp.Seconds()/2
		whole := lasts.Seconds() - ramp.Seconds()/2
		return quiet*since.Seconds() + (busy-quiet)*(days*whole+extra)
	}
	const series = `http_requests_total{instance=%q,job="llm",service="llm"} %.3f`
	var address string
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE http_requests_total counter\nhttp_requests_total{service=\"llm\"} %.3f\n", total(time.Now()))
	}))
	t.Cleanup(exporter.Close)
	address = exporter.Listener.Addr().String()
	p, err := u.StartPrometheus(t.Context(), controlplane.PrometheusOptions{
		Name: "prometheus", Targets: map[string][]string{"llm": {address}},
		History: func(path string) error {
			var text bytes.Buffer
			out := bufio.NewWriter(&text)
			fmt.Fprintln(out, "# TYPE http_requests counter")
			for at := begin; at.Before(time.Now()); at = at.Add(30 * time.Second) {
				fmt.Fprintf(out, series+" %.3f\n", address, total(at), float64(at.UnixMilli())/1000)
			}
			fmt.Fprintln(out, "# EOF")
			if err := out.Flush(); err != nil {
				return err
			}
			return os.WriteFile(path, text.Bytes(), 0o600)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	u.prometheus = p.URL
	u.names.set("prometheus.monitoring.svc:9090", strings.TrimPrefix(p.URL, "http://"))
}

// awaitAhead waits until the workload has the replicas of the busy hours, and checks that these have
// not begun.
func awaitAhead(t *testing.T, u *user) {
	t.Helper()
	const enough = 16
	var wanted int32
	for deadline := time.Now().Add(3 * time.Minute); wanted < enough; time.Sleep(200 * time.Millisecond) {
		d, err := u.Client.AppsV1().Deployments("default").Get(t.Context(), "llm", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wanted = *d.Spec.Replicas
		if time.Now().After(deadline) {
			out, _ := u.run(t, "kubectl get hpa keda-hpa-llm -o yaml; kubectl get forecast llm -o yaml")
			t.Fatalf("%d replicas are wanted, want at least %d:\n%s", wanted, enough, out)
		}
	}
	f, err := harness.GetForecast(t.Context(), u.ControlPlane, "default", "llm")
	if err != nil {
		t.Fatal(err)
	}
	if f.Status.Observed == nil || f.Status.Observed.Value.AsApproximateFloat64() > 1.5*quiet {
		t.Errorf("%d replicas are wanted at a demand of %+v: that is not ahead", wanted, f.Status.Observed)
	}
}

// checkConverted checks that the API server accepts what the page converts.
func checkConverted(t *testing.T, u *user) {
	t.Helper()
	if out, err := u.run(t, "kubectl apply --dry-run=server -f "+filepath.Join(u.path, "web.yaml")); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
