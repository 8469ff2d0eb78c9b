package warmer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

func TestMetrics(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	registry := prometheus.NewPedanticRegistry()
	opts := w.r.opts
	opts.Registerer = registry
	r, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w.r = r
	w.look(2)
	for i, p := range w.ours(names.RolePlaceholder)[:3] {
		w.bind(&p, fmt.Sprint("n", i))
	}
	w.look(3)
	w.look(4)
	want := `
# HELP headstart_warm_held_seconds_total Time that resources were held ahead, by placeholders or by what ` +
		"a CapacityBuffer or ProvisioningRequest brought up, by resource: GPU-seconds for nvidia.com/gpu." + `
# TYPE headstart_warm_held_seconds_total counter
headstart_warm_held_seconds_total{namespace="shop",resource="cpu",warmpool="warm"} 1440
headstart_warm_held_seconds_total{namespace="shop",resource="memory",warmpool="warm"} 6.18475290624e+12
headstart_warm_held_seconds_total{namespace="shop",resource="nvidia.com/gpu",warmpool="warm"} 360
# HELP headstart_warm_placeholders Placeholders that hold a node now.
# TYPE headstart_warm_placeholders gauge
headstart_warm_placeholders{namespace="shop",warmpool="warm"} 3
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "headstart_warm_held_seconds_total",
		"headstart_warm_placeholders"); err != nil {
		t.Error(err)
	}
	defer func() {
		w.must(w.client.Delete(t.Context(), pool()))
		w.look(5)
		if got, err := registry.Gather(); err != nil || len(got) > 0 {
			t.Errorf("series of a WarmPool that is gone stay: %v %v", got, err)
		}
	}()
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

// What a CapacityBuffer holds counts as well: room on Ready nodes, up to its size.
func TestMetricOfABuffer(t *testing.T) {
	w := newWorld(t, steady, pool(noImages), node("a"))
	w.mapper.there["CapacityBuffer"] = true
	registry := prometheus.NewPedanticRegistry()
	opts := w.r.opts
	opts.Registerer = registry
	r, err := New(opts)
	w.must(err)
	w.r = r
	w.look(0)
	w.look(1)
	w.must(w.client.Create(t.Context(), node("b")))
	w.must(w.client.Create(t.Context(), node("c"))) // nobody asked for it
	w.look(2)
	if got := testutil.ToFloat64(r.metrics.heldTime.WithLabelValues("shop", "warm", "nvidia.com/gpu")); got != 60+120 {
		t.Errorf("one GPU for a minute and two for another are %v GPU-seconds, want 180", got)
	}
}

// A replica counts once, when it comes onto a node, by whether the image was there. One that was
// there before its Forecast had a plan does not count. Times of the API server's clock are not
// used, since it may differ from ours.
func TestPlacements(t *testing.T) {
	w := newWorld(t, ramp, pool(noNodes), node("a", image), node("b"))
	registry := prometheus.NewPedanticRegistry()
	opts := w.r.opts
	opts.Registerer = registry
	r, err := New(opts)
	w.must(err)
	w.r = r
	scheduled := func(p *corev1.Pod, minute float64) {
		t.Helper()
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionTrue,
			LastTransitionTime: metav1.NewTime(start.Add(time.Duration(minute * float64(time.Minute)))),
		}}
		w.must(w.client.Status().Update(t.Context(), p))
	}
	fc := w.forecast(ramp)
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
	plan := fc.Status.Plan
	fc.Status.Plan = nil
	w.must(w.client.Status().Update(t.Context(), fc))
	w.look(0)
	scheduled(w.replica("b"), 30)
	w.look(0.25)
	fc.Status.Plan = plan
	w.must(w.client.Status().Update(t.Context(), fc))
	w.look(0.5)
	waits := w.replica("")
	w.look(0.75)
	w.bind(waits, "b")
	scheduled(w.replica("a"), -30)
	w.look(1)
	w.look(1.25)
	want := `
# HELP headstart_warm_placements_total Replicas of the warmed services that came onto a node, ` +
		"by whether it had their image when that was seen first." + `
# TYPE headstart_warm_placements_total counter
headstart_warm_placements_total{namespace="shop",node="cold",warmpool="warm"} 1
headstart_warm_placements_total{namespace="shop",node="warm",warmpool="warm"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "headstart_warm_placements_total"); err != nil {
		t.Error(err)
	}
}

// A node was warm if it had the replica's own image, listed or by a successful pull.
func TestWarmPlacements(t *testing.T) {
	const next = "registry.example/model:2"
	rollout := func(w *world) { changeTemplate(func(s *corev1.PodSpec) { s.Containers[0].Image = next })(w, nil) }
	full := node("a")
	for i := range 50 {
		full.Status.Images = append(full.Status.Images, corev1.ContainerImage{Names: []string{fmt.Sprint("i", i)}})
	}
	pulls := func(w *world) {
		for _, p := range w.ours(names.RolePull) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name: names.PullContainer, ImageID: "sha256:1",
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
			}}
			w.must(w.client.Status().Update(w.t.Context(), &p))
		}
	}
	cases := map[string]struct {
		reason string
		node   *corev1.Node
		change func(*world)
		want   string
	}{
		"Listed":    {"The node lists it.", node("a", image), func(*world) {}, "warm"},
		"NotListed": {"Or it lists all that it has, and not this.", node("a", next), func(*world) {}, "cold"},
		"OldOfTwo":  {"In a rollout a replica of the old template finds the old image.", node("a", image), rollout, "warm"},
		"OldOnNew":  {"And not the new one.", node("a", next), rollout, "cold"},
		"Unlisted":  {"A pull succeeded on a node that lists its largest images only.", full, pulls, "warm"},
		"NotPulled": {"There none did.", full, func(*world) {}, "cold"},
		"OldUnpulled": {
			"What was pulled for the new template says nothing of the old one.", full,
			func(w *world) { rollout(w); w.look(0.5); pulls(w) }, "cold",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noNodes), tc.node.DeepCopy())
			w.look(0)
			p := w.replica("")
			w.look(0.25)
			tc.change(w)
			w.bind(p, "a")
			w.look(0.75)
			for _, node := range []string{"warm", "cold"} {
				want := 0.0
				if node == tc.want {
					want = 1
				}
				if got := testutil.ToFloat64(w.r.metrics.placed.WithLabelValues("shop", "warm", node)); got != want {
					t.Errorf("\nReason: %s\n%v %s placements, want %v", tc.reason, got, node, want)
				}
			}
		})
	}
}
