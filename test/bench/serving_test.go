package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

var (
	rounds   = flag.Int("rounds", 7, "rounds, each of which runs every target once")
	duration = flag.Duration("duration", 5*time.Second, "time of one run")
	metrics  = flag.Int("metrics", 1000, "number of metrics")
	build    = flag.Bool("build", true, "build bin/headstart first")
)

const (
	externalAPI = "/apis/external.metrics.k8s.io/v1beta1/namespaces/"
	customAPI   = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"
	testPort    = 8080 // the test-adapter always receives values on this port
	protobuf    = "application/vnd.kubernetes.protobuf"
	namespace   = "bench"
)

// BenchmarkServing reports throughput and latency of both adapters through both APIs, and of the door
// for KEDA, and the ratios between them.
func BenchmarkServing(b *testing.B) {
	layout, c := cluster(b)
	mine := startHeadstart(b, layout, c)
	theirs := startTestAdapter(b, layout, c)
	targets := []target{mine.external, theirs[0], mine.custom, theirs[1], mine.scaler.target("headstart keda")}
	runs := make([][]result, len(targets))
	for b.Loop() {
		for round := range *rounds {
			for k := range targets {
				i := (k + round) % len(targets) // no target is always the first
				if err := targets[i].warmUp(b.Context()); err != nil {
					b.Fatal(err)
				}
				r, err := targets[i].run(b.Context(), *duration)
				if err != nil {
					b.Fatal(err)
				}
				runs[i] = append(runs[i], r)
				// b.Log is cut off after ten lines
				fmt.Fprintf(os.Stderr, "round %d: %-24s %7.0f/s  p50 %6.3f ms  p99 %6.3f ms  max %6.1f ms\n", round+1,
					targets[i].name, r.perSecond, ms(r.p50), ms(r.p99), ms(r.max))
			}
		}
	}
	throughput := func(r result) float64 { return r.perSecond }
	p99 := func(r result) time.Duration { return r.p99 }
	for i, api := range []string{"external", "custom"} {
		ours, peer := runs[2*i], runs[2*i+1]
		b.ReportMetric(median(ours, throughput), api+"-req/s")
		b.ReportMetric(median(peer, throughput), api+"-test-adapter-req/s")
		b.ReportMetric(median(ours, throughput)/median(peer, throughput), api+"-throughput-ratio")
		b.ReportMetric(ms(median(ours, p99)), api+"-p99-ms")
		b.ReportMetric(ms(median(peer, p99)), api+"-test-adapter-p99-ms")
		b.ReportMetric(ms(median(ours, p99))/ms(median(peer, p99)), api+"-p99-ratio")
	}
	keda := runs[4]
	b.ReportMetric(median(keda, throughput), "keda-req/s")
	b.ReportMetric(median(keda, throughput)/median(runs[0], throughput), "keda-to-external-throughput-ratio")
	b.ReportMetric(ms(median(keda, p99)), "keda-p99-ms")
	b.ReportMetric(0, "ns/op") // an op is the whole benchmark, so its time says nothing
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func cluster(b *testing.B) (binaries.Layout, *controlplane.ControlPlane) {
	b.Helper()
	layout, err := binaries.FindLayout()
	if err != nil {
		b.Fatal(err)
	}
	if err := layout.Build(b.Context(), os.Stderr, append(binaries.Commands(), binaries.TestAdapter())...); err != nil {
		b.Fatal(err)
	}
	if *build {
		if err := layout.Headstart(b.Context(), os.Stderr); err != nil {
			b.Fatal(err)
		}
	}
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.Log = b.Output()
	opts.Nodes = nil
	c, err := controlplane.Start(b.Context(), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Stop)
	if err := c.Apply(b.Context(), readerYAML); err != nil {
		b.Fatal(err)
	}
	return layout, c
}

// readerYAML is an account that may read metrics, as the HPA controller may. The administrator will
// not do: the permissions of an administrator are not reviewed.
const readerYAML = `apiVersion: v1
kind: Namespace
metadata: {name: bench}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: bench}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bench-reader}
rules:
- {apiGroups: [external.metrics.k8s.io, custom.metrics.k8s.io], resources: ["*"], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bench-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bench-reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: bench}]
`

// token returns a token of the account that reads.
func token(b *testing.B, c *controlplane.ControlPlane) string {
	b.Helper()
	t, err := c.Token(b.Context(), namespace, "reader")
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// doors are those of one replica of Headstart.
type doors struct {
	process          *harness.Headstart
	external, custom target
	scaler           scaler
}

// startHeadstart returns the doors of a replica that has a plan for every Forecast.
func startHeadstart(b *testing.B, layout binaries.Layout, c *controlplane.ControlPlane) doors {
	b.Helper()
	ports, err := controlplane.FreePorts(2)
	if err != nil {
		b.Fatal(err)
	}
	if err := harness.Install(b.Context(), c, layout, "both", ports[0]); err != nil {
		b.Fatal(err)
	}
	if err := c.Apply(b.Context(), forecasts()); err != nil {
		b.Fatal(err)
	}
	h, err := harness.Serve(b.Context(), c, layout, harness.ServeOptions{
		Name: "headstart", Port: ports[0], Sources: map[string]string{"default": "http://127.0.0.1:1"},
		Doors: []string{
			"--external-metrics", "--custom-metrics", "--external-scaler", "--external-scaler-port=" + strconv.Itoa(ports[1]),
		},
		HPASync: 15 * time.Second, PlanRefresh: 5 * time.Minute, ObserveInterval: 30 * time.Second, WritesPerHour: 12,
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := h.AwaitReady(b.Context(), time.Minute); err != nil {
		b.Fatal(err)
	}
	ca, err := harness.CABundle(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	trust := func(service string) *tls.Config {
		return &tls.Config{RootCAs: pool, ServerName: service + "." + harness.Namespace + ".svc"}
	}
	external := web{url: "https://" + h.Address, token: token(b, c), accept: protobuf, tls: trust(harness.Name)}
	custom := external
	for i := range *metrics {
		external.paths = append(external.paths, externalAPI+namespace+"/"+metric(i))
		custom.paths = append(custom.paths, customAPI+namespace+"/forecasts.headstart.dev/"+metric(i)+"/demand")
	}
	d := doors{
		process:  h,
		external: external.target("headstart external"), custom: custom.target("headstart custom"),
		scaler: scaler{address: "127.0.0.1:" + strconv.Itoa(ports[1]), tls: trust("headstart-scaler")},
	}
	for _, t := range []target{d.external, d.custom, d.scaler.target("headstart keda")} {
		await(b, t)
	}
	return d
}

func metric(i int) string { return fmt.Sprintf("service-%04d", i) }

// forecasts returns Forecasts that serve their lower bound: they have no history to read, so only
// serving is measured.
func forecasts() string {
	var out bytes.Buffer
	for i := range *metrics {
		fmt.Fprintf(&out, `---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: %s, namespace: %s}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  capacityPerReplica: "5"
  leadTime: {mode: Fixed, fixed: 5m}
  provisionFor: {serviceLevel: "0.99"}
  bounds: {min: "%[3]d"}
`, metric(i), namespace, i+1)
	}
	return out.String()
}

// startTestAdapter returns its external and custom metrics. It caches access reviews for as long as
// Headstart does. With its own ten seconds it would query the API server all the time.
func startTestAdapter(b *testing.B, layout binaries.Layout, c *controlplane.ControlPlane) [2]target {
	b.Helper()
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(c.Dir, "test-adapter")
	p, err := c.Run("test-adapter", filepath.Join(layout.Bin, "test-adapter"), []string{
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(ports[0]), "--cert-dir=" + dir,
		"--lister-kubeconfig=" + c.Kubeconfig, "--authentication-kubeconfig=" + c.Kubeconfig,
		"--authorization-kubeconfig=" + c.Kubeconfig,
		"--authentication-token-webhook-cache-ttl=1m", "--authorization-webhook-cache-authorized-ttl=1m",
	}, time.Second)
	if err != nil {
		b.Fatal(err)
	}
	external := web{
		url: "https://127.0.0.1:" + strconv.Itoa(ports[0]), token: token(b, c), accept: protobuf,
		tls: &tls.Config{InsecureSkipVerify: true}, // its certificate is self-signed
	}
	custom := external
	for i := range *metrics {
		// It has few external metrics, and the same in every namespace. It has as many custom metrics as
		// it is given.
		external.paths = append(external.paths, externalAPI+metric(i)+"/other-external-metric")
		custom.paths = append(custom.paths, customAPI+namespace+"/services/"+metric(i)+"/demand")
	}
	both := [2]target{external.target("test-adapter external"), custom.target("test-adapter custom")}
	await(b, both[0])
	for i := range *metrics {
		writeMetric(b, metric(i), i+1)
	}
	await(b, both[1])
	select {
	case <-p.Done():
		b.Fatalf("test-adapter ended (does another process listen on port %d?):\n%s", testPort, p.Tail())
	default:
	}
	return both
}

func writeMetric(b *testing.B, name string, value int) {
	b.Helper()
	url := fmt.Sprintf("http://127.0.0.1:%d/write-metrics/namespaces/%s/services/%s/demand", testPort, namespace, name)
	resp, err := http.Post(url, "application/json", bytes.NewBufferString(fmt.Sprintf("%q", strconv.Itoa(value))))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("test-adapter does not take a value: %s", resp.Status)
	}
}

// await waits until a target answers every path.
func await(b *testing.B, t target) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 15*time.Minute)
	defer cancel()
	for {
		err := t.warmUp(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			b.Fatalf("not every metric is served after 15 minutes: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
