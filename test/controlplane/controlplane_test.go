package controlplane_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"headstart.dev/headstart/test/controlplane"
)

const service = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: model}}
  template:
    metadata:
      labels: {app: model}
      annotations: %s
    spec:
      containers:
      - name: model
        image: example.com/model:1
        resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: model, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  minReplicas: 1
  maxReplicas: 20
  metrics:
  - type: External
    external: {metric: {name: model}, target: {type: AverageValue, averageValue: "10"}}
  behavior:
    scaleUp: {tolerance: "0"}
    scaleDown: {tolerance: "0", stabilizationWindowSeconds: 0}
`

// TestControlPlane is one test of everything, because a start takes long: an HPA follows an
// external metric that a local process serves, pods take as long to start as their annotations say,
// and nothing is left behind.
func TestControlPlane(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	opts := options(t)
	opts.Prometheus = &controlplane.PrometheusOptions{History: history}
	c, err := controlplane.Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	metric := serveMetric(t, c)

	warm := controlplane.WarmUp{Create: 2 * time.Second, Load: 4 * time.Second}
	annotations, _ := json.Marshal(warm.Annotations())
	if err := c.Apply(ctx, fmt.Sprintf(service, annotations)); err != nil {
		t.Fatal(err)
	}
	metric.Store(30)
	awaitReady(t, c, 3)
	metric.Store(55)
	awaitReady(t, c, 6)
	checkWarmUps(t, c, warm)
	metric.Store(10)
	awaitReady(t, c, 1)
	checkToken(t, c)
	checkHistory(t, c.Prometheus)

	if err := c.Failed(); err != nil {
		t.Error(err)
	}
	c.Stop()
	checkNothingLeft(t, c, opts.StateRoot)
}

func TestStartAgain(t *testing.T) {
	for range 2 {
		opts := options(t)
		c, err := controlplane.Start(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		c.Stop()
		checkNothingLeft(t, c, opts.StateRoot)
	}
}

func TestStartFails(t *testing.T) {
	cases := map[string]struct {
		reason string
		set    func(*controlplane.Options)
		ctx    func() (context.Context, context.CancelFunc)
		want   string
	}{
		"UnknownFlag": {
			reason: "the end of the log of what failed is in the error",
			set:    func(o *controlplane.Options) { o.APIServerArgs = []string{"--no-such-flag"} },
			want:   "unknown flag: --no-such-flag",
		},
		"NoBinaries": {
			reason: "a missing binary is named",
			set:    func(o *controlplane.Options) { o.Bin = filepath.Join(o.StateRoot, "nothing") },
			want:   "nothing/etcd: no such file",
		},
		"Cancelled": {
			reason: "an interrupt in the middle of the start leaves nothing behind",
			ctx: func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(context.Background(), 1500*time.Millisecond)
			},
			want: "deadline exceeded",
		},
		"NoStages": {
			reason: "options are checked before anything is started",
			set:    func(o *controlplane.Options) { o.Stages = nil },
			want:   "no Stages",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			opts := options(t)
			if tc.set != nil {
				tc.set(&opts)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if tc.ctx != nil {
				ctx, cancel = tc.ctx()
			}
			defer cancel()
			c, err := controlplane.Start(ctx, opts)
			if err == nil {
				c.Stop()
				t.Fatalf("%s: no error", tc.reason)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: error %q does not have %q", tc.reason, err, tc.want)
			}
			if left, _ := os.ReadDir(opts.StateRoot); len(left) > 0 {
				t.Errorf("%s: %s is left", tc.reason, left[0].Name())
			}
		})
	}
}

// TestKilled kills a process with a signal that it cannot handle. What it started must end, too.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties the life of a child to its parent's")
	}
	const env = "CONTROL_PLANE_TEST_STATE"
	if root := os.Getenv(env); root != "" {
		opts := options(t)
		opts.StateRoot = root
		if _, err := controlplane.Start(t.Context(), opts); err != nil {
			t.Fatal(err)
		}
		fmt.Println("started")
		select {}
	}
	root := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+root)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "started" {
		t.Log(lines.Text())
	}
	if n := len(processesIn(root)); n != 5 {
		t.Errorf("%d processes run before the kill, want 5", n)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if len(processesIn(root)) == 0 {
			return
		}
	}
	t.Errorf("processes %v are left", processesIn(root))
}

func options(t *testing.T) controlplane.Options {
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.StateRoot = t.TempDir()
	opts.Log = t.Output()
	return opts
}

// serveMetric serves the external metric "model" from this process, through the aggregator.
func serveMetric(t *testing.T, c *controlplane.ControlPlane) *atomic.Int64 {
	t.Helper()
	var value atomic.Int64
	const gv = "external.metrics.k8s.io/v1beta1"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/"+gv, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, metav1.APIResourceList{GroupVersion: gv, APIResources: []metav1.APIResource{
			{Name: "model", Namespaced: true, Kind: "ExternalMetricValueList", Verbs: metav1.Verbs{"get"}},
		}})
	})
	mux.HandleFunc("GET /apis/"+gv+"/namespaces/shop/model", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{
			"kind": "ExternalMetricValueList", "apiVersion": gv, "metadata": map[string]any{},
			"items": []any{map[string]any{
				"metricName": "model", "timestamp": metav1.Now(), "value": strconv.FormatInt(value.Load(), 10),
			}},
		})
	})
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	err := c.ApplyLocalAPI(t.Context(), controlplane.LocalAPI{
		Namespace: "metrics", Service: "local", GroupVersions: []string{gv}, Port: server.Listener.Addr().(*net.TCPAddr).Port,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitAPIService(t.Context(), "v1beta1.external.metrics.k8s.io", 3*time.Minute); err != nil {
		t.Fatal(err)
	}
	return &value
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func awaitReady(t *testing.T, c *controlplane.ControlPlane, want int) {
	t.Helper()
	got := -1
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, 3*time.Minute, true,
		func(ctx context.Context) (bool, error) {
			d, err := c.Client.AppsV1().Deployments("shop").Get(ctx, "model", metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			got = int(d.Status.ReadyReplicas)
			return got == want && d.Status.Replicas == d.Status.ReadyReplicas, nil
		})
	if err != nil {
		events, _ := c.Kubectl(t.Context(), nil, "-n", "shop", "get", "events,pods,hpa")
		t.Fatalf("%d ready replicas, want %d: %v\n%s", got, want, err, events)
	}
}

// checkWarmUps checks how long the phases of the pods' starts took, to the second, in which
// Kubernetes writes times. No pod may be faster than its annotations say. A busy machine may delay
// some, so only the fastest pod must be as fast as they say.
func checkWarmUps(t *testing.T, c *controlplane.ControlPlane, want controlplane.WarmUp) {
	t.Helper()
	fastest := map[string]time.Duration{}
	phases := map[string]time.Duration{"created to Initialized": want.Create, "created to Ready": want.Create + want.Load}
	pods, err := c.Client.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("%d pods: %v", len(pods.Items), err)
	}
	for i := range pods.Items {
		at := map[corev1.PodConditionType]time.Time{}
		for _, cond := range pods.Items[i].Status.Conditions {
			if cond.Status == corev1.ConditionTrue {
				at[cond.Type] = cond.LastTransitionTime.Time
			}
		}
		created := pods.Items[i].CreationTimestamp.Time
		for what, took := range map[string]time.Duration{
			"created to Initialized": at[corev1.PodInitialized].Sub(created),
			"created to Ready":       at[corev1.PodReady].Sub(created),
		} {
			if least, ok := fastest[what]; !ok || took < least {
				fastest[what] = took
			}
		}
	}
	for what, d := range phases {
		if took := fastest[what]; took < d-time.Second || took > d+3*time.Second {
			t.Errorf("%s took at least %s, want about %s", what, took, d)
		}
	}
}

// checkToken reads as a ServiceAccount that has no permissions.
func checkToken(t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	path, err := c.ServiceAccountKubeconfig(t.Context(), "shop", "default")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Kubectl(t.Context(), nil, "--kubeconfig="+path, "get", "pods")
	if err == nil ||
		!strings.Contains(err.Error(), `User "system:serviceaccount:shop:default" cannot list resource "pods"`) {
		t.Errorf("a ServiceAccount without a role gets %v", err)
	}
}

// history is a counter that rises by 7 a second for an hour.
func history(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintln(f, "# TYPE seen counter")
	now := time.Now().Unix()
	for s := range int64(3600) {
		fmt.Fprintf(f, "seen_total{job=\"past\"} %d %d\n", 7*s, now-3600+s)
	}
	fmt.Fprintln(f, "# EOF")
	return f.Close()
}

// checkHistory reads the preloaded samples from Prometheus, before and after a crash.
func checkHistory(t *testing.T, p *controlplane.Prometheus) {
	t.Helper()
	ask := func() string {
		query := url.Values{
			"query": {"rate(seen_total[20m])"},
			"time":  {strconv.FormatInt(time.Now().Add(-20*time.Minute).Unix(), 10)},
		}
		resp, err := http.Get(p.URL + "/api/v1/query?" + query.Encode())
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var body struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || len(body.Data.Result) != 1 {
			return fmt.Sprint(body, err)
		}
		return fmt.Sprint(body.Data.Result[0].Value[1])
	}
	if got := ask(); got != "7" {
		t.Errorf("rate of the history is %q, want 7", got)
	}
	p.Kill()
	if got := ask(); !strings.Contains(got, "refused") {
		t.Errorf("a killed Prometheus answers %q", got)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != "7" {
		t.Errorf("rate of the history after a restart is %q, want 7", got)
	}
}

func checkNothingLeft(t *testing.T, c *controlplane.ControlPlane, root string) {
	t.Helper()
	left, err := os.ReadDir(root)
	if err != nil || len(left) > 0 {
		t.Errorf("%v left in the folder for state: %v", left, err)
	}
	if procs := processesIn(c.Dir); len(procs) > 0 {
		t.Errorf("processes %v are left", procs)
	}
	u, err := url.Parse(c.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", u.Host); errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the port of the apiserver is still held: %v", err)
	} else if err == nil {
		_ = l.Close()
	}
}

// processesIn lists the processes with a working folder in the state folder, as all of a control
// plane's processes have.
func processesIn(dir string) []string {
	var found []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		cwd, err := os.Readlink(filepath.Join(p, "cwd"))
		if err == nil && strings.HasPrefix(cwd, dir) {
			found = append(found, filepath.Base(p))
		}
	}
	return found
}
