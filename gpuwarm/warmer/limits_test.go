package warmer

import (
	"context"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// hiding is a client that cannot read one Deployment.
type hiding struct {
	client.Client
	name string
}

func (h hiding) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if key.Name == h.name && kindOf(o) == "Deployment" {
		return errInternal
	}
	return h.Client.Get(ctx, key, o, opts...)
}

// caching is a client that shows of pods only what a cache keeps.
type caching struct{ client.Client }

func (c caching) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := c.Client.List(ctx, list, opts...)
	if pods, ok := list.(*corev1.PodList); ok {
		for i := range pods.Items {
			_, _ = gpuwarm.StripPod(&pods.Items[i])
		}
	}
	return err
}

// asked returns how many replicas placeholders and buffers hold for these Forecasts together.
func (w *world) asked(forecasts ...string) int {
	w.t.Helper()
	n := len(w.ours(names.RolePlaceholder))
	for _, name := range forecasts {
		b := kube.NewObject(kube.CapacityBuffer, "shop", names.Object("shop", "warm", name))
		if err := w.client.Get(w.t.Context(), client.ObjectKeyFromObject(b), b); err == nil {
			n += int(b.Object["spec"].(map[string]any)["replicas"].(int64))
		}
	}
	return n
}

// Limits bound all that is held, also what is not wanted now. These looks come after the time for
// which an unreadable target is recalled.
func TestLimitsBoundWhatStays(t *testing.T) {
	four := func(name string) func(*v1alpha1.WarmPool) {
		return func(p *v1alpha1.WarmPool) {
			p.Spec.Limits = map[string]resource.Quantity{name: resource.MustParse("4")}
		}
	}
	dry := func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }
	unread := func(w *world) { w.r.opts.Client = hiding{w.client, "model"} }
	other := func(w *world) { w.r.opts.Client = hiding{w.client, "other"} }
	cases := map[string]struct {
		reason string
		pool   *v1alpha1.WarmPool
		buffer bool
		change func(*world)
		held   int
		hold   int32 // of the other Forecast
	}{
		"First": {"The target of the first cannot be read.", pool(noImages, four("nvidia.com/gpu")), false, unread, 4, 2},
		"Last": {
			"Nor that of the last, when the first would like more.", pool(noImages, four("nvidia.com/gpu")), false,
			other, 4, 2,
		},
		"Pods": {"Replicas may be limited as such.", pool(noImages, four("pods")), false, unread, 4, 2},
		"Restart": {"Also after a restart.", pool(noImages, four("nvidia.com/gpu")), false, func(w *world) {
			r, err := New(w.r.opts)
			w.must(err)
			w.r = r
			unread(w)
		}, 4, 2},
		"Buffer": {"A buffer counts as it was asked for.", pool(noImages, four("nvidia.com/gpu")), true, unread, 4, 2},
		"BufferRestart": {"Nor does a restart forget that.", pool(noImages, four("nvidia.com/gpu")), true, func(w *world) {
			r, err := New(w.r.opts)
			w.must(err)
			w.r = r
			unread(w)
		}, 4, 2},
		"DryRun": {
			"What would be held counts in the same way.", pool(noImages, four("nvidia.com/gpu"), dry), false, unread, 0, 2,
		},
		"Denied": {
			"What cannot be removed is held all the same.", pool(noImages, four("nvidia.com/gpu")), false,
			func(w *world) {
				w.setMode(v1alpha1.ForecastPaused)
				w.refuse = func(verb string, _ client.Object) error {
					if verb == "delete" {
						return forbid("delete", "pods")
					}
					return nil
				}
			}, 4, 2,
		},
		"BufferDenied": {"So is a buffer that cannot be.", pool(noImages, four("nvidia.com/gpu")), true, func(w *world) {
			w.setMode(v1alpha1.ForecastPaused)
			w.refuse = func(verb string, _ client.Object) error {
				if verb == "delete" {
					return forbid("delete", "capacitybuffers")
				}
				return nil
			}
		}, 4, 2},
		"BufferGone": {
			"And one that is not wanted any more makes room.", pool(noImages, four("nvidia.com/gpu")), true,
			func(w *world) { w.setMode(v1alpha1.ForecastPaused) }, 4, 4,
		},
		"Gone": {
			"And what is not wanted any more makes room.", pool(noImages, four("nvidia.com/gpu")), false,
			func(w *world) { w.setMode(v1alpha1.ForecastPaused) }, 4, 4,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "20 20 20 20 20 20 20 20", tc.pool)
			w.mapper.there["CapacityBuffer"] = tc.buffer
			w.service("other", "20 20 20 20 20 20 20 20", "")
			w.look(0)
			for _, name := range []string{"demand", "other"} { // both would like more now
				fc := w.forecast(steady)
				fc.Name = name
				w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
				fc.Status.Plan.Segments[0].Values = "40 40 40 40 40 40 40 40"
				w.must(w.client.Status().Update(t.Context(), fc))
			}
			tc.change(w)
			for i := range 3 {
				_, _ = w.tryLook(allocate.RecallFor.Minutes() + 0.5 + float64(i)/4)
			}
			if n := w.asked("demand", "other"); n != tc.held {
				t.Errorf("\nReason: %s\n%d are held, want %d within limits of 4", tc.reason, n, tc.held)
			}
			for _, f := range w.now().Forecasts {
				if read := f.Name == "other" != (name == "Last"); read && f.Hold != tc.hold {
					t.Errorf("\nReason: %s\n%d of them for %s, want %d", tc.reason, f.Hold, f.Name, tc.hold)
				}
			}
		})
	}
}

// Limits count placeholders with what admission adds for their runtime class. That stays known once
// none is left.
func TestLimitsBoundOverheads(t *testing.T) {
	for limit, want := range map[string]int{"8": 1, "8500m": 2, "4": 0} {
		t.Run(limit, func(t *testing.T) {
			class := "kata"
			w := newWorld(t, steady, pool(noImages, func(p *v1alpha1.WarmPool) {
				p.Spec.Limits = map[string]resource.Quantity{"cpu": resource.MustParse(limit)}
			}))
			changeTemplate(func(s *corev1.PodSpec) { s.RuntimeClassName = &class })(w, nil)
			w.r.opts.Client = caching{w.client}
			w.admit = func(p *corev1.Pod) { p.Spec.Overhead = corev1.ResourceList{"cpu": resource.MustParse("250m")} }
			w.look(0)
			before := w.ids(names.RolePlaceholder)
			for look := range 4 {
				s := w.look(0.25 + float64(look)/4)
				if got := w.ids(names.RolePlaceholder); len(got) != want || !slices.Equal(got, before[:want]) ||
					int(s.Forecasts[0].Hold) != want {
					t.Errorf("look %d: %v are held, want the first %d of %v: %+v", look, got, want, before, s.Forecasts[0])
				}
			}
		})
	}
}

// What is held for a target that cannot be read for long stays, and it still counts in status and
// metrics.
func TestFiguresOfAnUnreadTarget(t *testing.T) {
	for name, buffer := range map[string]bool{"Placeholders": false, "Buffer": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "40 40 40 40 40 40 40 40 40 40", pool(noImages), node("a"), node("b"), node("c"), node("d"),
				node("e"))
			w.mapper.there["CapacityBuffer"] = buffer
			w.replica("e")
			w.look(0)
			for i, p := range w.ours(names.RolePlaceholder) {
				w.bind(&p, []string{"a", "b", "c"}[i])
			}
			s := w.look(1)
			if s.Forecasts[0].Held != 3 || (s.Placeholders == 3) == buffer {
				t.Fatalf("%+v", s)
			}
			seconds := func() [2]float64 {
				return [2]float64{
					testutil.ToFloat64(w.r.metrics.heldTime.WithLabelValues("shop", "warm", "nvidia.com/gpu")),
					testutil.ToFloat64(w.r.metrics.usedTime.WithLabelValues("shop", "warm", "nvidia.com/gpu")),
				}
			}
			before := seconds()
			w.r.opts.Client = hiding{w.client, "model"}
			_, _ = w.tryLook(1.5 + allocate.RecallFor.Minutes())
			w.replica("d") // onto a free node, or in a placeholder's place
			_, _ = w.tryLook(2 + allocate.RecallFor.Minutes())
			now := w.now()
			if now.Placeholders != s.Placeholders || now.Forecasts[0].Held != 3 {
				t.Errorf("what is held stays: %+v, and then %+v", s, now)
			}
			after := seconds()
			if held, used := after[0]-before[0], after[1]-before[1]; held != 6*3*60 || used != 6*2*60 {
				t.Errorf("three GPUs held for six minutes are %v GPU-seconds, two used %v", held, used)
			}
			if n := testutil.ToFloat64(w.r.metrics.placed.WithLabelValues("shop", "warm", "cold")); n != 1 {
				t.Errorf("one replica came, %v are counted", n)
			}
		})
	}
}
