// Package kinds_test checks the API's kinds on a real API server: what it rejects, what the
// conditions say, and what kubectl prints.
package kinds_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// shared is the control plane of all tests of this package.
var shared *controlplane.ControlPlane

// goodURL is the URL of the Prometheus of sourceGood.
var goodURL string

// Names of the sources that a Forecast may use.
const (
	sourceGood   = "default"
	source401    = "unauthorized"
	source503    = "unavailable"
	sourceHTML   = "html"
	sourceSilent = "silent"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	stop, err := start(ctx)
	defer stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// start starts a control plane, a Prometheus, four servers that are no Prometheus, and Headstart.
func start(ctx context.Context) (stop func(), err error) {
	var undo []func()
	stop = func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	layout, err := binaries.WithHeadstart(ctx, os.Stderr)
	if err != nil {
		return stop, err
	}
	c, err := controlplane.Start(ctx, controlplane.DefaultOptions(layout.Bin))
	if err != nil {
		return stop, err
	}
	undo = append(undo, c.Stop)
	shared = c
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		return stop, err
	}
	prom, err := c.StartPrometheus(ctx,
		controlplane.PrometheusOptions{Name: "prometheus", Targets: map[string][]string{}, ScrapeInterval: time.Second})
	if err != nil {
		return stop, err
	}
	answers, end, err := notPrometheus()
	undo = append(undo, end)
	if err != nil {
		return stop, err
	}
	answers[sourceGood], goodURL = prom.URL, prom.URL
	if err := harness.Install(ctx, c, layout, "both", ports[0]); err != nil {
		return stop, err
	}
	o := harness.CompressedTime("headstart", ports[0], answers)
	// Nobody would restart a leader that lost its lease because the API server stood still.
	o.Args = []string{"--leader-elect=false"}
	h, err := harness.Serve(ctx, c, layout, o)
	if err != nil {
		return stop, err
	}
	undo = append(undo, h.Kill)
	return stop, h.AwaitReady(ctx, 3*time.Minute)
}

// notPrometheus returns servers that answer 401, 503, a web page, and never.
func notPrometheus() (map[string]string, func(), error) {
	answer := func(code int, body string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}))
	}
	unauthorized, unavailable := answer(401, "who are you?"), answer(503, "come back later")
	html := answer(200, "<!DOCTYPE html><html><body>Welcome</body></html>")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts connections and never answers
	if err != nil {
		return map[string]string{}, func() {}, err
	}
	end := func() {
		unauthorized.Close()
		unavailable.Close()
		html.Close()
		silent.Close()
	}
	return map[string]string{
		source401: unauthorized.URL, source503: unavailable.URL, sourceHTML: html.URL,
		sourceSilent: "http://" + silent.Addr().String(),
	}, end, nil
}

// timeout bounds a wait. It is far longer than needed, because a machine may be slow or stand
// still for a while.
const timeout = 2 * time.Minute

// awaitNotReady polls until an object, such as forecast/lost, is not Ready and its message has all
// these words. It polls at least once, also after the deadline.
func awaitNotReady(t *testing.T, ns, object string, deadline time.Time, words ...string) {
	t.Helper()
	const ready = `{.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}`
	for {
		got, err := shared.Kubectl(t.Context(), nil, "-n", ns, "get", object, "-o", "jsonpath="+ready)
		if err == nil && strings.HasPrefix(got, "False ") &&
			!slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(got, w) }) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: Ready is %q, %v; want it to be False and to say %q", object, got, err, words)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// awaitMetric polls an external metric until its value is ok: the adapter's cache needs a moment.
func awaitMetric(t *testing.T, ns, name, want string, ok func(float64) bool) {
	t.Helper()
	var v float64
	var err error
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if v, err = harness.ExternalMetric(t.Context(), shared, ns, name); err == nil && ok(v) {
			return
		}
	}
	t.Errorf("external metric %s = %v, %v; want %s", name, v, err, want)
}

// namespace creates a namespace for a test.
func namespace(t *testing.T) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	if err := shared.Apply(t.Context(), "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}\n"); err != nil {
		t.Fatal(err)
	}
	return name
}

// deployment returns a target without pods.
func deployment(ns string) string {
	return `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, namespace: ` + ns + `}
spec:
  replicas: 0
  selector: {matchLabels: {app: model}}
  template:
    metadata: {labels: {app: model}}
    spec: {containers: [{name: model, image: example.com/model:1}]}
`
}
