package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

const (
	// distinct is how many series Prometheus has. Each Forecast asks for one of them times a factor,
	// so all have a history of their own, and Prometheus starts within minutes.
	distinct = 20
	days     = 28
	scrape   = 15 * time.Second
	// namespaces are shared by the Forecasts.
	namespaces = 10
)

// world is a control plane with Forecasts.
type world struct {
	options
	n       int
	control *controlplane.ControlPlane
	prom    *controlplane.Prometheus
	layout  binaries.Layout
	demand  [][]float64 // by series
	began   time.Time   // of the last step of history
	live    *http.Server
	serving []*replica
	shares  []int     // planned by each replica
	died    time.Time // when a replica was killed
}

func newWorld(ctx context.Context, layout binaries.Layout, o options, n int) (*world, error) {
	w := &world{options: o, n: n, layout: layout, began: time.Now().Truncate(time.Minute)}
	for k := range distinct {
		week := simulator.DefaultWeek(days+1, 24*60)
		week.Seed, week.Noise = uint64(k), 0.1 //nolint:gosec // small
		w.demand = append(w.demand, week.Values())
	}
	cp := controlplane.DefaultOptions(layout.Bin)
	cp.Log, cp.Nodes, cp.HPASyncPeriod = os.Stderr, nil, 15*time.Second
	var err error
	if w.control, err = controlplane.Start(ctx, cp); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"prometheus with its history", w.startPrometheus},
		{"the Forecasts", w.create},
	} {
		started := time.Now()
		if err := step.run(ctx); err != nil {
			w.stop()
			return nil, fmt.Errorf("set up %s: %w", step.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s up after %.1f s\n", step.name, time.Since(started).Seconds())
	}
	return w, nil
}

func (w *world) stop() {
	if w.live != nil {
		_ = w.live.Close()
	}
	w.control.Stop()
}

// at returns the demand of a series at an instant.
func (w *world) at(k int, t time.Time) float64 {
	values := w.demand[k]
	i := int(t.Sub(w.began)/time.Minute) + days*24*60
	return values[((i%len(values))+len(values))%len(values)]
}

// startPrometheus starts a Prometheus that has the history, and scrapes the demand of now.
func (w *world) startPrometheus(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.live = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(out http.ResponseWriter, _ *http.Request) {
			for k := range distinct {
				fmt.Fprintf(out, "load{series=\"%d\"} %g\n", k, w.at(k, time.Now()))
			}
		})}
	go func() { _ = w.live.Serve(listener) }()
	w.prom, err = w.control.StartPrometheus(ctx, controlplane.PrometheusOptions{
		Targets:        map[string][]string{"load": {listener.Addr().String()}},
		ScrapeInterval: scrape, Lookback: 5 * time.Minute, History: w.writeHistory,
	})
	return err
}

// writeHistory writes the series as OpenMetrics text, with the labels that a scrape adds.
func (w *world) writeHistory(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	fmt.Fprintln(out, "# TYPE load gauge")
	for k := range distinct {
		for i := days * 24 * 60; i >= 0; i-- {
			at := w.began.Add(-time.Duration(i) * time.Minute)
			fmt.Fprintf(out, "load{series=\"%d\",instance=\"past\",job=\"load\"} %g %d\n", k, w.at(k, at), at.Unix())
		}
	}
	fmt.Fprintln(out, "# EOF")
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// create installs Headstart's manifests, and makes the Forecasts with their targets and HPAs.
func (w *world) create(ctx context.Context) error {
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		return err
	}
	if err := harness.Install(ctx, w.control, w.layout, "both", ports[0]); err != nil {
		return err
	}
	config := rest.CopyConfig(w.control.Config)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for i := range namespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace(i)}}
		if _, err := client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for i := range w.n {
		if err := createOne(ctx, client, i); err != nil {
			return fmt.Errorf("create Forecast %d: %w", i, err)
		}
	}
	return nil
}

func namespace(i int) string { return "scale-" + strconv.Itoa(i%namespaces) }

// createOne makes a Deployment without replicas, and a Forecast and an HPA for it.
func createOne(ctx context.Context, client kubernetes.Interface, i int) error {
	ns, name := namespace(i), "fc-"+strconv.Itoa(i)
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "model", Image: "example.com/model:1"}},
		}},
	}}
	if _, err := client.AppsV1().Deployments(ns).Create(ctx, d, metav1.CreateOptions{}); err != nil {
		return err
	}
	provision := []string{`{"shortageCost":"20"}`, `{"serviceLevel":"0.99"}`}[i/namespaces%2]
	forecast := fmt.Sprintf(`{"apiVersion":"headstart.dev/v1alpha1","kind":"Forecast","metadata":{"name":%q},
		"spec":{"demand":{"prometheus":{"query":"sum(load{series=\"%d\"}) * %g"}},"provisionFor":%s,
		"targetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":%q}}}`,
		name, i%distinct, 1+float64(i)/1000, provision, name)
	hpa := fmt.Sprintf(`{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":%q},
		"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":%q},"maxReplicas":50,
		"metrics":[{"type":"External","external":{"metric":{"name":%q},
		"target":{"type":"AverageValue","averageValue":"20"}}}]}}`, name, name, name)
	for path, body := range map[string]string{
		"/apis/headstart.dev/v1alpha1/namespaces/" + ns + "/forecasts":        forecast,
		"/apis/autoscaling/v2/namespaces/" + ns + "/horizontalpodautoscalers": hpa,
	} {
		err := client.Discovery().RESTClient().Post().AbsPath(path).
			SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(ctx).Error()
		if err != nil {
			return err
		}
	}
	return nil
}

// get reads an HTTP page.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, answer.Status)
	}
	return string(body), err
}
