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
	rounds   = flag.Int("rounds", 5, "rounds, each of which runs every target once")
	duration = flag.Duration("duration", 5*time.Second, "time of one run")
	metrics  = flag.Int("metrics", 1000, "number of metrics")
	build    = flag.Bool("build", true, "build bin/headstart first")
	reviewed = flag.Bool("reviewed", true, "whether permissions are reviewed; the test-adapter remembers 8,192 of them, "+
		"so with more metrics its figures are those of the API server")
)

const (
	externalAPI = "/apis/external.metrics.k8s.io/v1beta1/namespaces/"
	customAPI   = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"
	testPort    = 8080 // the test-adapter always receives values on this port
	protobuf    = "application/vnd.kubernetes.protobuf"
	namespace   = "bench"
	// patience is how long a target may take to answer one more request than before. Forecasts are
	// not planned in the order in which they are requested, so each of them adds a little.
	patience  = 2 * time.Minute
	perMetric = 50 * time.Millisecond
	// nowhere is the URL of a Prometheus that nobody asks.
	nowhere = "http://127.0.0.1:1"
)

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
	opts.HPASyncPeriod = 15 * time.Second
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

// reader returns requests of the account that reads, which the API server passes on.
func reader(b *testing.B, c *controlplane.ControlPlane, url string, config *tls.Config) web {
	b.Helper()
	proxy, err := c.FrontProxy()
	if err != nil {
		b.Fatal(err)
	}
	group := "system:serviceaccounts"
	if !*reviewed {
		group = "system:masters"
	}
	return asProxy(url, config, proxy, "system:serviceaccount:"+namespace+":reader", group)
}

// doors are those of one replica of Headstart.
type doors struct {
	url                    string      // of the metrics APIs
	tls                    *tls.Config // of a caller without a certificate
	metrics                string      // URL
	external, custom, keda target
	scaler                 scaler
}

// startHeadstart returns the doors of a replica that has a plan for every Forecast. prometheus is the
// URL of the source of those that have demand, which is polled at an interval.
func startHeadstart(
	b *testing.B, layout binaries.Layout, c *controlplane.ControlPlane, prometheus string, observe time.Duration,
) doors {
	b.Helper()
	ports, err := controlplane.FreePorts(3)
	if err != nil {
		b.Fatal(err)
	}
	if err := harness.Install(b.Context(), c, layout, "both", ports[0]); err != nil {
		b.Fatal(err)
	}
	for i := range *metrics {
		if err := create(b.Context(), c, namespace, fmt.Sprintf(boundYAML, metric(i), i+1)); err != nil {
			b.Fatal(err)
		}
	}
	h, err := harness.Serve(b.Context(), c, layout, harness.ServeOptions{
		Name: "headstart", Port: ports[0], Sources: map[string]string{"default": prometheus},
		Doors: []string{
			"--external-metrics", "--custom-metrics", "--external-scaler", "--external-scaler-port=" + strconv.Itoa(ports[1]),
		},
		HPASync: 15 * time.Second, PlanRefresh: 5 * time.Minute, ObserveInterval: observe, WritesPerHour: 12,
		Args: []string{"--metrics-bind-address=127.0.0.1:" + strconv.Itoa(ports[2])},
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
	var external, custom []string
	for i := range *metrics {
		external = append(external, externalAPI+namespace+"/"+metric(i))
		custom = append(custom, customAPI+namespace+"/forecasts.headstart.dev/"+metric(i)+"/demand")
	}
	url := "https://" + h.Address
	requests := reader(b, c, url, trust(harness.Name))
	keda := scaler{address: "127.0.0.1:" + strconv.Itoa(ports[1]), tls: trust("headstart-scaler")}
	d := doors{
		url: url, metrics: "http://127.0.0.1:" + strconv.Itoa(ports[2]) + "/metrics", tls: trust(harness.Name),
		external: requests.of(external).target("headstart external"),
		custom:   requests.of(custom).target("headstart custom"),
		scaler:   keda, keda: keda.target("headstart keda"),
	}
	for _, t := range []target{d.keda, d.external, d.custom} {
		await(b, t)
	}
	return d
}

func metric(i int) string { return fmt.Sprintf("service-%05d", i) }

// boundYAML is a Forecast that serves its lower bound: it has no history to read, so only serving is
// measured.
const boundYAML = `{
"apiVersion": "headstart.dev/v1alpha1", "kind": "Forecast", "metadata": {"name": %[1]q},
"spec": {
  "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": %[1]q},
  "capacityPerReplica": "5", "leadTime": {"mode": "Fixed", "fixed": "5m"},
  "provisionFor": {"serviceLevel": "0.99"}, "bounds": {"min": "%[2]d"}
}}`

// create makes a Forecast. kubectl would be slow: it has a rate of its own.
func create(ctx context.Context, c *controlplane.ControlPlane, namespace, forecast string) error {
	err := c.Client.Discovery().RESTClient().Post().
		AbsPath("/apis/headstart.dev/v1alpha1/namespaces/"+namespace+"/forecasts").
		SetHeader("Content-Type", "application/json").Body([]byte(forecast)).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("create a Forecast: %w", err)
	}
	return nil
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
	// Its certificate is self-signed.
	requests := reader(b, c, "https://127.0.0.1:"+strconv.Itoa(ports[0]), &tls.Config{InsecureSkipVerify: true})
	var external, custom []string
	for i := range *metrics {
		// It has few external metrics, and the same in every namespace. It has as many custom metrics as
		// it is given.
		external = append(external, externalAPI+metric(i)+"/other-external-metric")
		custom = append(custom, customAPI+namespace+"/services/"+metric(i)+"/demand")
	}
	both := [2]target{
		requests.of(external).target("test-adapter external"), requests.of(custom).target("test-adapter custom"),
	}
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

func await(b *testing.B, t target) {
	b.Helper()
	began := time.Now()
	if err := t.await(b.Context(), patience+time.Duration(t.size)*perMetric); err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "%s answers %d requests after %.1f s\n", t.name, t.size, time.Since(began).Seconds())
}
