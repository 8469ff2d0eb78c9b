package warm

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

const (
	warmNamespace  = "headstart-warm"
	warmService    = "model"
	warmImage      = "registry.example/model:1"
	warmPlanStep   = 2 * time.Second
	warmServiceKey = "app=" + warmService
)

// warmWorld is a control plane with the warmer alone, with its own permissions. The test itself
// writes the plan of the one Forecast, and scales its replicas.
type warmWorld struct {
	*controlplane.ControlPlane
	t       *testing.T
	proxy   *proxy
	warmer  *controlplane.Process
	metrics string // the address where the warmer serves them
}

// Failed is the control plane's own, and also returns an error if the warmer has ended.
func (w *warmWorld) Failed() error {
	select {
	case <-w.warmer.Done():
		return fmt.Errorf("the warmer has ended: %s", w.warmer.Tail())
	default:
		return w.ControlPlane.Failed()
	}
}

// warmOptions are the options of a warmWorld.
type warmOptions struct {
	nodes    int           // of one GPU each
	interval time.Duration // between two reconciliations
	stages   func(defaults []byte) []byte
	before   string // is applied before the warmer starts
}

func newWarmWorld(t *testing.T, o warmOptions) *warmWorld {
	t.Helper()
	opts := controlplane.DefaultOptions(env.layout.Bin)
	opts.StateRoot, opts.Log = t.TempDir(), t.Output()
	opts.Nodes = []controlplane.NodePool{controlplane.GPUNodes(o.nodes, 1)}
	if o.stages != nil {
		opts.Stages = o.stages(opts.Stages)
	}
	cp, err := controlplane.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cp.Stop)
	w := &warmWorld{ControlPlane: cp, t: t, proxy: newProxy(t, cp)}
	w.install(o)
	w.apply(warmRights)
	// Else the first reconciliations are denied.
	w.await("the permissions are in force", func() bool { return w.may("list", "resourcequotas") })
	w.apply(warmObjects)
	return w
}

// may reports whether the API server lets Headstart do something in the service's namespace.
func (w *warmWorld) may(verb, resource string) bool {
	w.t.Helper()
	review, err := w.Client.AuthorizationV1().SubjectAccessReviews().Create(w.t.Context(),
		&authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + harness.Namespace + ":" + harness.Name,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: resource},
		}}, metav1.CreateOptions{})
	w.must(err)
	return review.Status.Allowed
}

// install applies the base and the component for warming, and runs the warmer with the
// ServiceAccount's permissions.
func (w *warmWorld) install(o warmOptions) {
	w.t.Helper()
	dir, err := filepath.EvalSymlinks(w.Dir)
	w.must(err)
	dir = filepath.Join(dir, "warm")
	w.must(os.MkdirAll(dir, 0o755))
	root, err := filepath.EvalSymlinks(env.layout.Root)
	w.must(err)
	manifests, err := filepath.Rel(dir, filepath.Join(root, "manifests"))
	w.must(err)
	w.must(os.WriteFile(filepath.Join(dir, "kustomization.yaml"),
		fmt.Appendf(nil, `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%[1]s/base]
components: [%[1]s/components/warm]
patches:
- target: {kind: Deployment, name: headstart}
  patch: |-
    - {op: replace, path: /spec/replicas, value: 0}
`, manifests), 0o644))
	w.must(w.ApplyKustomization(w.t.Context(), dir))
	if o.before != "" {
		w.apply(o.before)
	}
	crds, err := w.Kubectl(w.t.Context(), nil, "get", "crd", "-o", "jsonpath={.items[*].metadata.name}")
	w.must(err)
	w.must(w.AwaitCRDs(w.t.Context(), strings.Fields(crds)...))
	binary := filepath.Join(w.Dir, "warmer")
	build := exec.CommandContext(w.t.Context(), "go", "build", "-o", binary, "./gpuwarm/warmer/internal/standalone")
	build.Dir = env.layout.Root
	if out, err := build.CombinedOutput(); err != nil {
		w.t.Fatalf("build the warmer: %v\n%s", err, out)
	}
	kubeconfig, err := w.ServiceAccountKubeconfig(w.t.Context(), harness.Namespace, harness.Name)
	w.must(err)
	kubeconfig, err = w.proxy.through(kubeconfig)
	w.must(err)
	ports, err := controlplane.FreePorts(1)
	w.must(err)
	w.metrics = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	interval := cmp.Or(o.interval, 500*time.Millisecond)
	w.warmer, err = w.Run("warmer", binary,
		[]string{"-cluster=" + kubeconfig, "-interval=" + interval.String(), "-metrics=" + w.metrics}, 5*time.Second)
	w.must(err)
}

// metric returns the sum of the warmer's samples of a name that have all the labels.
func (w *warmWorld) metric(name string, labels ...string) float64 {
	w.t.Helper()
	response, err := http.Get("http://" + w.metrics + "/metrics") //nolint:noctx // the test's own process
	w.must(err)
	defer func() { _ = response.Body.Close() }()
	sum := 0.0
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(series, name+"{") &&
			!slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(series, l) }) {
			v, err := strconv.ParseFloat(value, 64)
			w.must(err)
			sum += v
		}
	}
	return sum
}

// in returns the same world for a subtest.
func (w *warmWorld) in(t *testing.T) *warmWorld {
	return &warmWorld{ControlPlane: w.ControlPlane, t: t, proxy: w.proxy, warmer: w.warmer, metrics: w.metrics}
}

func (w *warmWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *warmWorld) apply(yaml string) {
	w.t.Helper()
	w.must(w.Apply(w.t.Context(), yaml))
}

// namespaceRights lets Headstart warm for the WarmPools of the namespace, as
// manifests/examples/warm-namespace.yaml does.
const namespaceRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: headstart-warm, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: headstart-warm-namespace}
subjects: [{kind: ServiceAccount, name: headstart, namespace: headstart-system}]`

// warmRights are the service's namespace and the permissions.
const warmRights = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
` + namespaceRights

// warmObjects are a service with one GPU for each replica, its Forecast with a capacity of 1 for
// each replica, and the WarmPool.
const warmObjects = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: model, namespace: shop}
spec:
  replicas: 0
  selector: {matchLabels: {app: model}}
  template:
    metadata: {labels: {app: model}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: server
        image: registry.example/model:1
        resources: {limits: {nvidia.com/gpu: 1}, requests: {cpu: "4", memory: 16Gi}}
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: model, namespace: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  capacityPerReplica: "1"
---
apiVersion: headstart.dev/v1alpha1
kind: WarmPool
metadata: {name: warm, namespace: shop}
spec:
  forecastSelector: {}
  limits: {pods: "60"}
  nodes: {lead: 9s}
  images: {lead: 7s, parallelism: 10}
`

// plan writes a plan into the Forecast's status, from start on, in replicas for each warmPlanStep.
func (w *warmWorld) plan(start time.Time, replicas []int) {
	w.t.Helper()
	values := strings.Trim(fmt.Sprint(replicas), "[]")
	end := start.Add(time.Duration(len(replicas)) * warmPlanStep)
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"capacityPerReplica": map[string]any{"value": "1", "source": "Spec"},
		"plan": map[string]any{
			"computedAt": start.UTC().Format(time.RFC3339), "start": start.UTC().Format(time.RFC3339),
			"end":      end.UTC().Format(time.RFC3339),
			"segments": []any{map[string]any{"step": "2s", "values": values}},
		},
	}})
	w.must(err)
	_, err = w.Kubectl(w.t.Context(), nil, "patch", "forecast", warmService, "-n", namespace, "--subresource=status",
		"--type=merge", "-p", string(patch))
	w.must(err)
}

func (w *warmWorld) scale(replicas int) {
	w.t.Helper()
	_, err := w.Kubectl(w.t.Context(), nil, "scale", "deployment", warmService, "-n", namespace,
		fmt.Sprint("--replicas=", replicas))
	w.must(err)
}

// setMode sets the Forecast's mode.
func (w *warmWorld) setMode(mode string) {
	w.t.Helper()
	w.kube("patch", "forecast", warmService, "--type=merge", "-p", `{"spec":{"mode":"`+mode+`"}}`)
}

func (w *warmWorld) setImage(image string) {
	w.t.Helper()
	w.kube("set", "image", "deployment/"+warmService, "server="+image)
}

// limitPlaceholders creates a quota on the pods in the placeholders' namespace, and waits until it
// counts those that are expected to exist.
func (w *warmWorld) limitPlaceholders(limit, exist int) {
	w.t.Helper()
	w.apply(fmt.Sprintf(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: few, namespace: %s},
		spec: {hard: {pods: "%d"}}}`, warmNamespace, limit))
	w.await("the quota is in force", func() bool {
		q, err := w.Client.CoreV1().ResourceQuotas(warmNamespace).Get(w.t.Context(), "few", metav1.GetOptions{})
		return err == nil && q.Status.Used.Pods().Value() == int64(exist)
	})
}

func (w *warmWorld) unlimitPlaceholders() {
	w.t.Helper()
	_, err := w.Kubectl(w.t.Context(), nil, "delete", "resourcequota", "few", "-n", warmNamespace)
	w.must(err)
}

func (w *warmWorld) pods(namespace, selector string) []corev1.Pod {
	w.t.Helper()
	list, err := w.Client.CoreV1().Pods(namespace).List(w.t.Context(), metav1.ListOptions{LabelSelector: selector})
	w.must(err)
	return list.Items
}

// placeholders returns the number of placeholders, and of those that have a node.
func (w *warmWorld) placeholders() (all, bound int) {
	w.t.Helper()
	for _, p := range w.pods(warmNamespace, "headstart.dev/role=placeholder") {
		if p.DeletionTimestamp == nil {
			all++
			if p.Spec.NodeName != "" {
				bound++
			}
		}
	}
	return all, bound
}

// hasPlaceholders returns a check for the number of placeholders.
func (w *warmWorld) hasPlaceholders(n int) func() bool {
	return func() bool { all, _ := w.placeholders(); return all == n }
}

// warmStatus is the part of a WarmPool's status that the tests read.
type warmStatus struct {
	Conditions []metav1.Condition `json:"conditions"`
	Forecasts  []struct {
		NodesBy   string `json:"nodesBy"`
		ImagesBy  string `json:"imagesBy"`
		WeightsBy string `json:"weightsBy"`
		Weights   string `json:"weights"`
		Hold      int    `json:"hold"`
		Message   string `json:"message"`
	} `json:"forecasts"`
}

func (s warmStatus) reason(kind string) string {
	if c := meta.FindStatusCondition(s.Conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

func (w *warmWorld) status() warmStatus {
	w.t.Helper()
	out, err := w.Kubectl(w.t.Context(), nil, "get", "warmpool", "warm", "-n", namespace, "-o", "json")
	w.must(err)
	var pool struct {
		Status warmStatus `json:"status"`
	}
	w.must(json.Unmarshal([]byte(out), &pool))
	return pool.Status
}

// hasReason returns a check for the status and the reason of a condition, such as "True AsPlanned".
func (w *warmWorld) hasReason(condition, want string) func() bool {
	return func() bool { return w.status().reason(condition) == want }
}

// timeout bounds a wait. It is far longer than needed, because a machine may be slow or stand
// still for a while.
const timeout = 3 * time.Minute

// await polls until ok returns true. What it waits for is in the failure's message.
func (w *warmWorld) await(what string, ok func() bool) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.t.Context(), 100*time.Millisecond, timeout, true,
		func(context.Context) (bool, error) { return ok(), w.Failed() })
	if err != nil {
		all, bound := w.placeholders()
		w.t.Fatalf("%s: %v; %d placeholders, %d bound; %+v", what, err, all, bound, w.status())
	}
}

func repeat(replicas int, d time.Duration) []int {
	out := make([]int, d/warmPlanStep)
	for i := range out {
		out[i] = replicas
	}
	return out
}
