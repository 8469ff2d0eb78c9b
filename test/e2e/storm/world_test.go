package storm

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// layout says where the binaries are.
var layout binaries.Layout

func TestMain(m *testing.M) { os.Exit(binaries.RunTests(m, &layout, binaries.WithMovedClock)) }

const (
	tenants     = 5
	perTenant   = 10
	replicas    = 3
	step        = 5 * time.Second
	hpaSync     = 3 * time.Second
	base        = 3 // replicas that each demand needs
	setUp       = 5 * time.Minute
	requestTime = 5 * time.Second
)

// rogue is the tenant that does harm: its own source has faults that the others' has not.
const rogue = tenants - 1

// service is one Forecast with its Deployment and HPA. Its demand is constant, and differs from
// every other's by a fourth at least, so that a value tells whose it is.
type service struct {
	namespace, name string
	tenant          int
	demand          float64
}

func services() []service {
	var all []service
	for tenant := range tenants {
		for i := range perTenant {
			all = append(all, service{
				namespace: namespace(tenant), name: fmt.Sprintf("model-%d", i), tenant: tenant,
				demand: math.Round(100 * math.Pow(1.25, float64(tenant*perTenant+i))),
			})
		}
	}
	return all
}

func namespace(tenant int) string {
	if tenant == rogue {
		return "rogue"
	}
	return fmt.Sprintf("tenant-%d", tenant)
}

// source of a tenant: the rogue has its own.
func source(tenant int) string {
	if tenant == rogue {
		return "rogue"
	}
	return "default"
}

func (s service) yaml() string {
	return strings.NewReplacer(
		"$NAMESPACE", s.namespace, "$NAME", s.name, "$SOURCE", source(s.tenant),
		"$DEMAND", fmt.Sprintf("%.0f", s.demand), "$CAPACITY", fmt.Sprintf("%.0f", s.demand/(base-0.5)),
	).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: $NAME, namespace: $NAMESPACE}
spec:
  replicas: 3
  selector: {matchLabels: {app: $NAME}}
  template:
    metadata: {labels: {app: $NAME}}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      containers:
      - name: server
        image: registry.example/model:1
        resources: {requests: {cpu: 100m, memory: 64Mi}}
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: $NAME, namespace: $NAMESPACE}
spec:
  demand:
    prometheus: {query: vector($DEMAND), source: $SOURCE}
    resolution: 5s
    history: 30m
    settle: 1s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  leadTime: {mode: Fixed, fixed: 20s}
  capacityPerReplica: "$CAPACITY"
  horizon: 2h
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: $NAME, namespace: $NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $NAME}
  minReplicas: 1
  maxReplicas: 8
  metrics:
  - type: External
    external: {metric: {name: $NAME}, target: {type: AverageValue, averageValue: "$CAPACITY"}}
  behavior: {scaleUp: {tolerance: "0"}, scaleDown: {stabilizationWindowSeconds: 0}}
`)
}

// A warmed service: a peak in half an hour, for which the WarmPool holds two more replicas by now.
const (
	warmNamespace = "tenant-0"
	heldForPeak   = 2
	warmYAML      = `
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: launch, namespace: tenant-0}
spec:
  forecastRefs: [{name: model-0}]
  timeZone: UTC
  windows: [{name: launch, start: "$START", duration: 1h, demand: {replicas: 5}}]
---
apiVersion: headstart.dev/v1alpha1
kind: WarmPool
metadata: {name: warm, namespace: tenant-0}
spec:
  forecastSelector: {}
  limits: {cpu: "4", memory: 16Gi}
  nodes: {lead: 1h}
`
)

// replica is one running server, with what is between it and the servers that it depends on.
type replica struct {
	options harness.ServeOptions
	api     *harness.Forwarder
	proxies map[string]*proxy // by source

	mu      sync.Mutex
	running *harness.Headstart
	held    bool          // a fault keeps it from running
	clock   time.Duration // how far its clock is off from the next start on
}

// world is everything that the storm goes over.
type world struct {
	*controlplane.ControlPlane
	t        *testing.T
	services []service
	replicas []*replica
	rogue    *controlplane.Prometheus
	began    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	opts := controlplane.DefaultOptions(layout.Bin)
	opts.StateRoot, opts.Log, opts.HPASyncPeriod = t.TempDir(), t.Output(), hpaSync
	opts.Nodes = []controlplane.NodePool{controlplane.GPUNodes(6, 8)}
	opts.Prometheus = &controlplane.PrometheusOptions{Targets: map[string][]string{}}
	c, err := controlplane.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	w := &world{ControlPlane: c, t: t, services: services()}
	w.rogue, err = c.StartPrometheus(t.Context(), controlplane.PrometheusOptions{Name: "prometheus-rogue"})
	if err != nil {
		t.Fatal(err)
	}
	w.startReplicas()
	w.apply()
	return w
}

func (w *world) startReplicas() {
	w.t.Helper()
	ports, err := controlplane.FreePorts(1 + 2*replicas)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := harness.Install(w.t.Context(), w.ControlPlane, layout, "both", ports[0], "warm"); err != nil {
		w.t.Fatal(err)
	}
	apiServer := strings.TrimPrefix(w.Config.Host, "https://")
	var addresses []string
	for i := range replicas {
		r := &replica{proxies: map[string]*proxy{
			"default": newProxy(w.t, w.Prometheus.URL), "rogue": newProxy(w.t, w.rogue.URL),
		}}
		secure, api := ports[1+2*i], ports[2+2*i]
		if r.api, err = harness.Forward(api, apiServer); err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(r.api.Close)
		sources := map[string]string{}
		for name, p := range r.proxies {
			sources[name] = p.server.URL
		}
		r.options = harness.CompressedTime(fmt.Sprintf("headstart-%d", i), secure, sources)
		r.options.ObserveInterval, r.options.PlanRefresh, r.options.HPASync = 3*time.Second, 5*time.Second, hpaSync
		r.options.APIServer = fmt.Sprintf("https://127.0.0.1:%d", api)
		r.options.Args = []string{"--warm-pools"}
		w.replicas = append(w.replicas, r)
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", secure))
		if err := w.run(r); err != nil {
			w.t.Fatal(err)
		}
	}
	front, err := harness.Forward(ports[0], addresses...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(front.Close)
	for _, r := range w.replicas {
		if err := r.running.AwaitReady(w.t.Context(), setUp); err != nil {
			w.t.Fatal(err)
		}
	}
}

// run starts the process of a replica.
func (w *world) run(r *replica) error {
	r.mu.Lock()
	options := r.options
	options.ClockOffset = r.clock
	r.mu.Unlock()
	h, err := harness.Serve(w.t.Context(), w.ControlPlane, layout, options)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = h
	return nil
}

// process returns the running process of a replica.
func (r *replica) process() *harness.Headstart {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// hold keeps a replica that has ended from being started again, or ends that.
func (r *replica) hold(held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
}

// setClock sets how far the clock of a replica is off from its next start on.
func (r *replica) setClock(offset time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = offset
}

// supervise starts replicas that have ended again, as a kubelet does, until ctx ends.
func (w *world) supervise(ctx context.Context) {
	for ctx.Err() == nil {
		for _, r := range w.replicas {
			r.mu.Lock()
			h, held := r.running, r.held
			r.mu.Unlock()
			select {
			case <-h.Done():
				if held {
					continue
				}
				if err := w.run(r); err == nil {
					w.t.Logf("%s  %s has ended and is started again", w.since(), r.options.Name)
				}
			default:
			}
		}
		pause(ctx, 500*time.Millisecond)
	}
}

func (w *world) since() string { return fmt.Sprintf("%6.1f s", time.Since(w.began).Seconds()) }

func (w *world) apply() {
	w.t.Helper()
	rights, err := os.ReadFile(layout.Root + "/manifests/examples/warm-namespace.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	var all strings.Builder
	for tenant := range tenants {
		fmt.Fprintf(&all, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", namespace(tenant))
	}
	for _, s := range w.services {
		all.WriteString("---" + s.yaml())
	}
	start := time.Now().Add(30 * time.Minute).UTC().Format("2006-01-02T15:04:05")
	all.WriteString("---" + strings.ReplaceAll(warmYAML, "$START", start))
	all.WriteString("---\n" + strings.ReplaceAll(string(rights), "namespace: shop", "namespace: "+warmNamespace))
	if err := w.Apply(w.t.Context(), all.String()); err != nil {
		w.t.Fatal(err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
