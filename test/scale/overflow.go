package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
)

// site is one of the two clusters of the measurement of overflow.
type site struct {
	name    string
	control *controlplane.ControlPlane
	port    int
	serving *replica
}

// measureOverflow measures what overflow costs: n Forecasts in each of two clusters, first without
// any overflow, and then with one from each Forecast of a to the one of its name in b.
func measureOverflow(ctx context.Context, layout binaries.Layout, o options) error {
	n := o.forecasts[0]
	a, b := &site{name: "a"}, &site{name: "b"}
	for _, s := range []*site{a, b} {
		defer func() {
			if s.control != nil {
				s.control.Stop()
			}
		}()
		if err := s.start(ctx, layout); err != nil {
			return fmt.Errorf("start cluster %s: %w", s.name, err)
		}
	}
	var costs [2]overflowCost
	for i, overflows := range []bool{false, true} {
		for _, s := range []*site{a, b} {
			if err := s.create(ctx, n, overflows && s == a, overflows && s == b); err != nil {
				return fmt.Errorf("create the Forecasts of cluster %s: %w", s.name, err)
			}
		}
		if err := a.serve(ctx, layout, ""); err != nil {
			return err
		}
		config, err := b.readerOf(ctx, a)
		if err != nil {
			return err
		}
		if err := b.serve(ctx, layout, config); err != nil {
			return err
		}
		if costs[i], err = measureCost(ctx, o, n, a, b, overflows); err != nil {
			return err
		}
		fmt.Println(costs[i])
		a.serving.Kill()
		b.serving.Kill()
	}
	fmt.Printf("overflow of %d Forecasts takes %.4f of a core in a, which says what overflows, and %.4f in b, "+
		"which plans it\n", n, costs[1].cpuA-costs[0].cpuA, costs[1].cpuB-costs[0].cpuB)
	return nil
}

// start starts a cluster without nodes, whose controller manager scales nothing: what autoscalers
// ask of Headstart is the same with and without overflow.
func (s *site) start(ctx context.Context, layout binaries.Layout) error {
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.Log, opts.Nodes = os.Stderr, nil
	opts.ControllerManagerArgs = []string{"--controllers=*,-horizontal-pod-autoscaler-controller"}
	var err error
	if s.control, err = controlplane.Start(ctx, opts); err != nil {
		return err
	}
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		return err
	}
	s.port = ports[0]
	if err := harness.Install(ctx, s.control, layout, "both", s.port, "overflow"); err != nil {
		return err
	}
	for i := range namespaces {
		if err := s.control.Apply(ctx, fmt.Sprintf(placeYAML, namespace(i))); err != nil {
			return err
		}
	}
	return nil
}

// placeYAML is a namespace whose Forecasts have a peak every hour, and the right to read them.
const placeYAML = `
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: hourly, namespace: %[1]s}
spec:
  timeZone: UTC
  forecastSelector: {}
  windows:
  - {name: base, schedule: "0 0 * * *", duration: 24h, demand: {atLeast: "50"}}
  - {name: peak, schedule: "20 * * * *", duration: 30m, demand: {atLeast: "150"}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: %[1]s}
rules: [{apiGroups: [headstart.dev], resources: [forecasts], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: headstart, namespace: headstart-system}]
`

// create makes n Forecasts. With short, a third of each peak does not fit. With reads, each plans what
// does not fit into cluster a.
func (s *site) create(ctx context.Context, n int, short, reads bool) error {
	config := rest.CopyConfig(s.control.Config)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	most, of := 100, ""
	if short {
		most = 5 // of 20 each, and a peak is 150
	}
	for i := range n {
		ns, name := namespace(i), "fc-"+strconv.Itoa(i)
		if reads {
			of = fmt.Sprintf(`"overflowOf":{"cluster":"a","forecast":"%s/%s"},`, ns, name)
		}
		if err := createDeployment(ctx, client, ns, name); err != nil {
			return err
		}
		for path, body := range map[string]string{
			"/apis/headstart.dev/v1alpha1/namespaces/" + ns + "/forecasts": fmt.Sprintf(
				`{"apiVersion":"headstart.dev/v1alpha1","kind":"Forecast","metadata":{"name":%q},"spec":{%s"unit":"requests/s",
				"leadTime":{"mode":"Fixed","fixed":"8m"},"provisionFor":{"serviceLevel":"0.99"},
				"targetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":%q}}}`, name, of, name),
			"/apis/autoscaling/v2/namespaces/" + ns + "/horizontalpodautoscalers": fmt.Sprintf(
				`{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":%q},
				"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":%q},"maxReplicas":%d,
				"metrics":[{"type":"External","external":{"metric":{"name":%q},
				"target":{"type":"AverageValue","averageValue":"20"}}}]}}`, name, name, most, name),
		} {
			if err := put(ctx, client, path, name, body); err != nil {
				return err
			}
		}
	}
	return nil
}

// put creates an object; one of its name is deleted before.
func put(ctx context.Context, client kubernetes.Interface, path, name, body string) error {
	api := client.Discovery().RESTClient()
	if err := api.Delete().AbsPath(path, name).Do(ctx).Error(); err != nil && !isNotFound(err) {
		return err
	}
	return api.Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body([]byte(body)).Do(ctx).Error()
}

// createDeployment makes a Deployment without replicas.
func createDeployment(ctx context.Context, client kubernetes.Interface, ns, name string) error {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "model", Image: "example.com/model:1"}},
		}},
	}}
	_, err := client.AppsV1().Deployments(ns).Create(ctx, d, metav1.CreateOptions{})
	if isExists(err) {
		return nil
	}
	return err
}

// readerOf writes the configuration by which this cluster reads another one, and returns its path.
func (s *site) readerOf(ctx context.Context, other *site) (string, error) {
	kubeconfig, err := other.control.ServiceAccountKubeconfig(ctx, harness.Namespace, harness.Name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.control.Dir, "clusters.yaml")
	text := fmt.Sprintf("clusters:\n- {name: %s, kubeconfig: %q, namespaces: [\"*\"]}\n", other.name, kubeconfig)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// serve runs Headstart in the cluster with the rates of an installation.
func (s *site) serve(ctx context.Context, layout binaries.Layout, clusters string) error {
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	args := []string{"--metrics-bind-address=" + address, "--leader-elect=false"}
	if clusters != "" {
		args = append(args, "--clusters-config="+clusters)
	}
	h, err := harness.Serve(ctx, s.control, layout, harness.ServeOptions{
		Name: "headstart-" + s.name, Port: s.port,
		Sources: map[string]string{"default": "http://127.0.0.1:1"}, // No Forecast has demand.
		HPASync: 15 * time.Second, PlanRefresh: 5 * time.Minute,
		ObserveInterval: observeInterval, WritesPerHour: 12, Args: args,
	})
	if err != nil {
		return err
	}
	s.serving = &replica{Headstart: h, metrics: "http://" + address + "/metrics"}
	return h.AwaitReady(ctx, 3*time.Minute)
}

// errNotPlanned says that the Forecasts did not get their plans in time.
var errNotPlanned = errors.New("not all Forecasts were planned in time: give more with -within")
