package warmer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
	"headstart.dev/headstart/gpuwarm/warmer/nodes"
)

const forty = "40 40 40 40 40 40 40 40 40 40 40 40"

// restart replaces the reconciler by a new one, as a restart does.
func (w *world) restart() {
	w.t.Helper()
	r, err := New(w.r.opts)
	w.must(err)
	w.r = r
}

// ids returns the UIDs of the pods of a role.
func (w *world) ids(role string) []types.UID {
	w.t.Helper()
	var out []types.UID
	for _, p := range w.ours(role) {
		out = append(out, p.UID)
	}
	slices.Sort(out)
	return out
}

// Whatever makes another Forecast the holder of a target, what is held stays held, also where
// limits have no room for it twice.
func TestHandingOverLeavesNoGap(t *testing.T) {
	limit := func(name string) func(*v1alpha1.WarmPool) {
		return func(p *v1alpha1.WarmPool) {
			p.Spec.Limits = map[string]resource.Quantity{name: resource.MustParse("4")}
		}
	}
	paused := func(w *world) { w.setMode(v1alpha1.ForecastPaused) }
	cases := map[string]struct {
		reason string
		limit  string
		change func(*world)
		holds  string
	}{
		"Paused": {"The one that holds is paused.", "nvidia.com/gpu", paused, "tokens"},
		"Pods":   {"However it is limited.", "pods", paused, "tokens"},
		"Restart": {"And another process sees that.", "nvidia.com/gpu", func(w *world) {
			paused(w)
			w.restart()
		}, "tokens"},
		"Deleted": {
			"Or it is deleted.", "nvidia.com/gpu", func(w *world) { w.must(w.client.Delete(w.t.Context(), w.forecast(forty))) },
			"tokens",
		},
		"DeletedRestart": {"And that is seen after a restart only.", "nvidia.com/gpu", func(w *world) {
			w.must(w.client.Delete(w.t.Context(), w.forecast(forty)))
			w.restart()
		}, "tokens"},
		"Before": {
			"Or one comes that is before it by name.", "nvidia.com/gpu", func(w *world) { w.another("bytes", forty) }, "bytes",
		},
	}
	for name, tc := range cases {
		for by, buffer := range map[string]bool{"Placeholders": false, "Buffer": true} {
			t.Run(name+by, func(t *testing.T) {
				w := newWorld(t, forty, pool(noImages, limit(tc.limit)))
				w.mapper.there["CapacityBuffer"] = buffer
				w.another("tokens", forty)
				w.look(0)
				before := w.ids(names.RolePlaceholder)
				tc.change(w)
				writes := len(w.writes)
				for i := range 3 {
					s := w.look(0.25 + float64(i)/4)
					if n := w.asked("bytes", "demand", "tokens"); n != 4 {
						t.Fatalf("\nReason: %s\nlook %d: %d are held, want 4 at each look", tc.reason, i, n)
					}
					at := slices.IndexFunc(s.Forecasts, func(f v1alpha1.WarmForecast) bool { return f.Name == tc.holds })
					if f := s.Forecasts[at]; f.Hold != 4 || f.WarmedBy != "" {
						t.Errorf("\nReason: %s\n%+v", tc.reason, f)
					}
				}
				if diff := cmp.Diff(before, w.ids(names.RolePlaceholder)); diff != "" {
					t.Errorf("\nReason: %s\nplaceholders are created again: -want, +got:\n%s", tc.reason, diff)
				}
				made, gone := slices.Index(w.writes[writes:], "create CapacityBuffer"), slices.Index(w.writes[writes:],
					"delete CapacityBuffer")
				if buffer && (made < 0 || gone < made) {
					t.Errorf("\nReason: %s\nthe next one asks before the first releases: %v", tc.reason, w.writes[writes:])
				}
			})
		}
	}
}

// The next holder gets its own ProvisioningRequest before the first one's is deleted.
func TestRequestsAreHandedOver(t *testing.T) {
	w := newWorld(t, forty, pool(noImages, func(p *v1alpha1.WarmPool) {
		p.Spec.Nodes.Policy = v1alpha1.WarmNodesProvisioningRequest
		p.Spec.Limits = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse("4")}
	}))
	w.mapper.there["ProvisioningRequest"] = true
	w.another("tokens", forty)
	w.look(0)
	w.setMode(v1alpha1.ForecastPaused)
	writes := len(w.writes)
	w.look(0.25)
	u := kube.NewObject(kube.ProvisioningRequest, "shop", names.Object("shop", "warm", "tokens"))
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(u), u))
	made, gone := slices.Index(w.writes[writes:], "create ProvisioningRequest"), slices.Index(w.writes[writes:],
		"delete ProvisioningRequest")
	if nodes.PodCount(u) != 4 || made < 0 || gone < made {
		t.Errorf("%d are asked for, want 4; %v", nodes.PodCount(u), w.writes[writes:])
	}
}

// If the next holder cannot ask for nodes, the first one releases none. What stays is not asked for
// a second time.
func TestHandOverThatFails(t *testing.T) {
	w := newWorld(t, forty, pool(noImages, func(p *v1alpha1.WarmPool) {
		p.Spec.Limits = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse("4")}
	}))
	w.mapper.there["CapacityBuffer"] = true
	w.another("tokens", forty)
	w.look(0)
	w.setMode(v1alpha1.ForecastPaused)
	w.refuse = func(verb string, o client.Object) error {
		if verb == "create" && kindOf(o) == "CapacityBuffer" {
			return errInternal
		}
		return nil
	}
	for i := range 4 {
		if _, err := w.tryLook(0.25 + float64(i)/4); err == nil {
			t.Fatal("the failure should slow the looks down")
		}
		if n := w.asked("demand", "tokens"); n != 4 {
			t.Fatalf("look %d: %d are held, want 4", i, n)
		}
	}
	w.refuse = func(verb string, _ client.Object) error { // the next one can ask, and the first cannot release
		if verb == "delete" {
			return forbid(verb, "capacitybuffers")
		}
		return nil
	}
	w.look(1.5)
	for i := range 3 {
		if w.look(1.75 + float64(i)/4); w.asked("demand", "tokens") != 4 {
			t.Errorf("what cannot be removed counts: %d are held, limits are 4", w.asked("demand", "tokens"))
		}
	}
	w.refuse = nil
	for i := range 3 {
		w.look(3 + float64(i)/4)
	}
	if n := w.asked("tokens"); n != 4 || w.asked("demand", "tokens") != 4 {
		t.Errorf("%d are held by the next one, want 4 and nothing else", n)
	}
}

// The same holds while discovery does not answer.
func TestHandOverWithoutDiscovery(t *testing.T) {
	w := newWorld(t, forty, pool(noImages))
	w.another("tokens", forty)
	w.look(0)
	before := w.ids(names.RolePlaceholder)
	w.setMode(v1alpha1.ForecastPaused)
	w.restart()
	w.mapper.away = true
	for i := range 3 {
		_, _ = w.tryLook(0.25 + float64(i)/4)
	}
	w.mapper.away = false
	w.look(3)
	if diff := cmp.Diff(before, w.ids(names.RolePlaceholder)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// The next holder takes over running pulls, and the history of failed ones.
func TestPullsAreHandedOver(t *testing.T) {
	w := newWorld(t, forty, pool(), node("a"), node("b"), node("c"), node("d"))
	w.another("tokens", forty)
	w.look(0)
	before := w.ids(names.RolePull)
	if len(before) != 2 {
		t.Fatalf("%d pulls at a time, want 2", len(before))
	}
	w.setMode(v1alpha1.ForecastPaused)
	for i := range 3 {
		w.look(0.1 + float64(i)/60)
		if diff := cmp.Diff(before, w.ids(names.RolePull)); diff != "" {
			t.Fatalf("pulls are begun again: -want, +got:\n%s", diff)
		}
	}
	failed := w.ours(names.RolePull)[0]
	failed.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:  names.PullContainer,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}},
	}}
	w.must(w.client.Status().Update(t.Context(), &failed))
	w.look(0.2)
	w.setMode(v1alpha1.ForecastActive)
	s := w.look(0.25)
	if got := reasonOf(s, v1alpha1.ConditionImagesWarm); got != "False PullFails" {
		t.Errorf("a pull failed before it was handed back, but ImagesWarm is %q: %s", got,
			messageOf(s, v1alpha1.ConditionImagesWarm))
	}
	for _, p := range w.ours(names.RolePull) {
		if p.Labels[names.LabelNode] == failed.Labels[names.LabelNode] {
			t.Error("it is tried again at once")
		}
	}
}

// Placeholders have the anti-affinity of the target's pods among themselves, whichever Forecast
// they were created for.
func TestAffinityToPlaceholdersTakenOver(t *testing.T) {
	w := newWorld(t, "20 20 20 20 20 20 20 20", pool(noImages))
	changeTemplate(func(s *corev1.PodSpec) {
		s.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "model"}},
				TopologyKey:   corev1.LabelHostname,
			}},
		}}
	})(w, nil)
	w.another("tokens", "20 20 20 20 30 30 30 30")
	w.look(0)
	w.setMode(v1alpha1.ForecastPaused)
	w.look(3)
	pods := w.ours(names.RolePlaceholder)
	if len(pods) != 3 {
		t.Fatalf("%d placeholders, want 3", len(pods))
	}
	for _, p := range pods {
		if p.Labels[names.LabelForecast] != names.Forecast("shop", "tokens") {
			continue
		}
		for _, term := range p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
			w.must(err)
			if strings.Contains(fmt.Sprint(selector), names.RolePlaceholder) && selector.Matches(labels.Set(pods[0].Labels)) &&
				selector.Matches(labels.Set(pods[1].Labels)) && selector.Matches(labels.Set(pods[2].Labels)) {
				return
			}
		}
		t.Errorf("it does not keep from those that were taken over: %+v", p.Spec.Affinity.PodAntiAffinity)
		return
	}
	t.Error("none was made")
}

// While the target cannot be read, placeholders that were taken over stay, although their labels
// name another Forecast.
func TestTakenOverWhileUnread(t *testing.T) {
	for name, gone := range map[string]bool{"Paused": false, "Deleted": true} {
		for how, after := range map[string]float64{"Restart": 0.75, "Long": 6} {
			t.Run(name+how, func(t *testing.T) {
				w := newWorld(t, forty+" "+forty, pool(noImages))
				w.another("tokens", forty+" "+forty)
				w.look(0)
				if gone {
					w.must(w.client.Delete(t.Context(), w.forecast(forty)))
				} else {
					w.setMode(v1alpha1.ForecastPaused)
				}
				w.look(0.25)
				before := w.ids(names.RolePlaceholder)
				w.unreadable("Deployment")
				if how == "Restart" {
					w.restart()
				}
				for i := range 3 {
					_, _ = w.tryLook(after + float64(i)/4)
				}
				if diff := cmp.Diff(before, w.ids(names.RolePlaceholder)); diff != "" || len(before) != 4 {
					t.Errorf("of 4 that were taken over (-before, +after):\n%s", diff)
				}
			})
		}
	}
}
