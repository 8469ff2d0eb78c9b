package overflow

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// The compressed day of the test. Demand is low, but for a flat top around noon.
const (
	step        = 2 * time.Second
	day         = 100 * time.Second
	stepsPerDay = int(day / step)
	hour        = day / 24
	pastDays    = 12
	hpaSync     = 2 * time.Second
	namespace   = "shop"

	capacity = 22.0 // of a replica, in requests per second
	fits     = 8    // replicas in cluster A
	low      = 40.0
	high     = 1.5 * fits * capacity // one and a half of what A can hold

	rise, top, fall, night = 34 * time.Second, 44 * time.Second, 76 * time.Second, 86 * time.Second
)

const (
	web      = "web"      // in A, and in B for what overflows
	gold     = "gold"     // in A, with priority
	iron     = "iron"     // in A, without
	reactive = "reactive" // in B: its HPA sees what does not fit when it is there
)

// shape is the demand at a time of the day.
func shape(at time.Duration) float64 {
	slope := func(from, to time.Duration) float64 { return float64(at-from) / float64(to-from) }
	switch {
	case at < rise, at >= night:
		return low
	case at < top:
		return low + (high-low)*slope(rise, top)
	case at < fall:
		return high
	}
	return high + (low-high)*slope(fall, night)
}

func demand() []float64 {
	r := rand.New(rand.NewPCG(17, 1))
	values := make([]float64, (pastDays+3)*stepsPerDay)
	for i := range values {
		values[i] = shape(time.Duration(i%stepsPerDay)*step) * (1 + 0.01*r.NormFloat64())
	}
	return values
}

// pair is the two clusters.
type pair struct {
	*harness.World // cluster A

	b          *controlplane.ControlPlane
	headstartB *harness.Headstart
	far        *simulator.Simulator // the services in B
	// nodes of the two services in B.
	nodes, nodesReactive *nodePool
}

// newPair starts both clusters. The second one begins once the first is up, in the time before the
// demand does.
func newPair(t *testing.T) *pair {
	t.Helper()
	service := func(name, pool string, priority, most int) harness.Service {
		return harness.Service{
			Namespace: namespace, Name: name, Mode: "Active", Capacity: capacity, Min: 1, Max: most, Pool: pool,
			Priority:        priority,
			WarmUp:          controlplane.WarmUp{Create: 2 * time.Second, Load: 4 * time.Second},
			ScaleDownWindow: 6 * time.Second, ProvisionFor: `{serviceLevel: "0.9"}`,
			Step: step, Horizon: 2 * day, History: (pastDays + 1) * day, DefaultLead: 10 * time.Second,
		}
	}
	cp := controlplane.DefaultOptions(env.layout.Bin)
	cp.StateRoot, cp.Log, cp.HPASyncPeriod = t.TempDir(), t.Output(), hpaSync
	nodes := func(name string, count int) controlplane.NodePool {
		pool := controlplane.GPUNodes(count, 2)
		pool.Name = name
		return pool
	}
	cp.Nodes = []controlplane.NodePool{nodes("web", fits), nodes("common", 9)} // 18 GPUs: room for 1.5 of two services
	w, err := harness.NewWorld(t.Context(), harness.WorldOptions{
		Layout: env.layout, Log: t.Output(), ControlPlane: cp, Step: step, Values: demand(),
		Past: pastDays * stepsPerDay, SetUp: 100 * time.Second,
		Services: []harness.Service{
			service(web, "web", 0, fits), service(gold, "common", 10, 20), service(iron, "common", 0, 20),
		},
		Components: []string{"warm"}, ServeArgs: []string{"--warm-pools"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	p := &pair{World: w}
	p.startB(t)
	return p
}

const poolYAML = `
apiVersion: headstart.dev/v1alpha1
kind: WarmPool
metadata: {name: pool, namespace: shop}
spec: {forecastSelector: {}, nodes: {policy: "Off"}, images: {policy: "Off"}}
`

// startB starts the second cluster, with a service for what overflows and one that only reacts.
func (p *pair) startB(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.Apply(ctx, poolYAML))
	must(p.Apply(ctx, read(t, "manifests/overflow/reader.yaml")))
	cp := controlplane.DefaultOptions(env.layout.Bin)
	cp.StateRoot, cp.Log, cp.HPASyncPeriod = t.TempDir(), io.Discard, hpaSync
	cp.Nodes = nil // B is cold: beside a node for the minimum, its nodes come up when they are needed.
	var err error
	p.b, err = controlplane.Start(ctx, cp)
	must(err)
	t.Cleanup(p.b.Stop)
	p.startNodes(t)
	ports, err := controlplane.FreePorts(1)
	must(err)
	must(harness.Install(ctx, p.b, env.layout, "both", ports[0], "overflow", "warm"))
	o := harness.CompressedTime("headstart-b", ports[0], map[string]string{"default": p.Sources["default"].URL})
	o.HPASync, o.Args = hpaSync, []string{"--clusters-config=" + p.clustersFile(t)}
	p.headstartB, err = harness.Serve(ctx, p.b, env.layout, o)
	must(err)
	must(p.headstartB.AwaitReady(ctx, 3*time.Minute))
	must(p.b.AwaitAPIService(ctx, "v1beta1.external.metrics.k8s.io", 3*time.Minute))
	for name, spec := range map[string]string{
		web: `{overflowOf: {cluster: a, forecast: shop/web}, horizon: 200s, ` + common(web) + `}`,
		reactive: fmt.Sprintf(`{mode: DryRun, demand: {prometheus: {query: 'clamp_min(sum(rate(simulator_requests_total`+
			`{service="web"}[4s])) - %v, 0)'}, resolution: 2s, history: 10m, settle: 1s}, horizon: 200s, %s}`,
			fits*capacity, common(reactive)),
	} {
		must(p.b.Apply(ctx, farService(name, spec)))
	}
	must(p.b.Apply(ctx, farPoolYAML+"---\n"+read(t, "manifests/examples/warm-namespace.yaml")))
	p.startWarmer(t)
	p.far, err = simulator.New(namespace, simulator.Service{Name: web, Capacity: capacity},
		simulator.Service{Name: reactive, Capacity: capacity})
	must(err)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- p.far.Run(run, p.b.Client, p.Demand) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// farPoolYAML is the WarmPool of B: it holds nodes for what overflows, and not for the service that
// only reacts. All nodes have the image. The lead of nodes is what a node takes, and what cannot be
// shortened here: the scheduler, which tries again after up to four seconds, the taint of a new
// node, and steps of two seconds.
const farPoolYAML = `
apiVersion: headstart.dev/v1alpha1
kind: WarmPool
metadata: {name: far, namespace: shop}
spec:
  forecastSelector: {matchLabels: {warm: "true"}}
  limits: {nvidia.com/gpu: "12"}
  nodes: {policy: Placeholders, lead: 9s, capacity: {nvidia.com/gpu: "12"}}
  images: {lead: 1s}
`

// startNodes runs the node autoscaler of B.
func (p *pair) startNodes(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p.nodes, p.nodesReactive = newNodePool(p.b, web), newNodePool(p.b, reactive)
	ended := make(chan struct{})
	go func() { defer close(ended); runNodePools(ctx, p.b, p.nodes, p.nodesReactive) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// startWarmer runs the part of Headstart that acts on WarmPools, with the rights that the manifests
// give. It looks at them every half a second: the 15 s of an installation are hours of this day.
func (p *pair) startWarmer(t *testing.T) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "warmer")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./gpuwarm/warmer/internal/standalone")
	build.Dir = env.layout.Root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the warmer: %v\n%s", err, out)
	}
	kubeconfig, err := p.b.ServiceAccountKubeconfig(t.Context(), harness.Namespace, harness.Name)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-cluster=" + kubeconfig, "-interval=500ms"}
	if _, err := p.b.Run("warmer", binary, args, 5*time.Second); err != nil {
		t.Fatal(err)
	}
}

// common is the part of the spec that both services in B have.
func common(name string) string {
	return fmt.Sprintf(`targetRef: {apiVersion: apps/v1, kind: Deployment, name: %s}, `+
		`leadTime: {mode: Learned, default: 16s}, provisionFor: {serviceLevel: "0.9"}`, name)
}

// farService returns a service in B. Its pods take twice as long to start as those in A, and wait
// for their nodes too where none is held.
func farService(name, spec string) string {
	yaml := harness.Service{
		Namespace: namespace, Name: name, Mode: "Active", Capacity: capacity, Replicas: 1, Min: 1, Max: 12,
		Pool: name, WarmUp: controlplane.WarmUp{Create: 4 * time.Second, Load: 8 * time.Second},
		ScaleDownWindow: 6 * time.Second, ProvisionFor: `{serviceLevel: "0.9"}`, Step: step, Horizon: 2 * day, History: day,
		DefaultLead: 16 * time.Second,
	}.YAML()
	before, rest, _ := strings.Cut(yaml, "---\napiVersion: headstart.dev/v1alpha1")
	_, after, _ := strings.Cut(rest, "---\napiVersion: autoscaling/v2")
	return before + fmt.Sprintf(`---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: %s, namespace: %s, labels: {warm: "%t"}}
spec: %s
---
apiVersion: autoscaling/v2`, name, namespace, name == web, spec) + after
}

// clustersFile writes the configuration of the clusters that B may read: A, B itself for a cycle,
// and an API server that does not know Forecasts.
func (p *pair) clustersFile(t *testing.T) string {
	t.Helper()
	a, err := p.ServiceAccountKubeconfig(t.Context(), harness.Namespace, "headstart-overflow-reader")
	if err != nil {
		t.Fatal(err)
	}
	self, err := p.b.ServiceAccountKubeconfig(t.Context(), harness.Namespace, harness.Name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "clusters.yaml")
	text := fmt.Sprintf(`clusters:
- {name: a, kubeconfig: %q, namespaces: [shop, chat], remoteNamespaces: {chat: [chat, shop]}}
- {name: self, kubeconfig: %q, namespaces: [shop]}
- {name: old, kubeconfig: %q, namespaces: [shop]}
`, a, self, oldCluster(t))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(env.layout.Root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// share returns the share of the demand that A's plan has here.
func (p *pair) share(ctx context.Context) (float64, error) {
	body, err := p.Adapters[0].Get(ctx, "/overflow/v1/namespaces/shop/forecasts/web")
	if err != nil {
		return 0, err
	}
	var shares struct {
		Now struct {
			Here float64 `json:"here"`
		} `json:"now"`
	}
	if err := json.Unmarshal(body, &shares); err != nil {
		return 0, err
	}
	if here := shares.Now.Here; here >= 0 && here <= 1 && !math.IsNaN(here) {
		return here, nil
	}
	return 0, fmt.Errorf("the share is %v", shares.Now.Here)
}
