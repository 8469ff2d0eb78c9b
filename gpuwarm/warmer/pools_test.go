package warmer

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// poolFor returns a WarmPool of an age that selects Forecasts by a label.
func poolFor(name, label string, age time.Duration, change ...func(*v1alpha1.WarmPool)) *v1alpha1.WarmPool {
	return pool(noImages, func(p *v1alpha1.WarmPool) {
		p.Name, p.UID, p.CreationTimestamp = name, types.UID(name), metav1.NewTime(start.Add(-age))
		p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": label}
		for _, f := range change {
			f(p)
		}
	})
}

// lookOf reconciles a WarmPool once.
func (w *world) lookOf(pool string) {
	w.t.Helper()
	_, err := w.r.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{
		Namespace: "shop",
		Name:      pool,
	}})
	w.must(err)
}

func labelled(label string) func(*v1alpha1.Forecast) {
	return func(fc *v1alpha1.Forecast) { fc.Labels["warm"] = label }
}

// held returns how many placeholders each WarmPool has.
func (w *world) held() map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, p := range w.ours(names.RolePlaceholder) {
		for _, name := range []string{"warm", "a", "b"} {
			if p.Labels[names.LabelPool] == names.Pool("shop", name) {
				out[name]++
			}
		}
	}
	return out
}

// While WarmPools cannot be listed, what one of them holds for all is not held by the others, too.
func TestUnlistedWarmPoolsHoldNothingTwice(t *testing.T) {
	w := newWorld(t, forty, poolFor("warm", "yes", 0), poolFor("a", "theirs", time.Hour))
	w.another("tokens", forty, labelled("theirs"))
	for range 2 { // the second time a has begun
		w.look(0)
		w.lookOf("a")
	}
	if got := w.held(); got["a"] != 4 || got["warm"] != 0 {
		t.Fatalf("held are %v, want 4 by a", got)
	}
	w.unreadable("WarmPoolList")
	for i := range 2 {
		_, _ = w.tryLook(float64(i+1) / 4)
	}
	if got := w.held(); got["a"] != 4 || got["warm"] != 0 {
		t.Errorf("held are %v, want 4 by a still, and nothing else", got)
	}
}

// A third WarmPool that is to hold but has not begun does not change which of the others holds.
func TestHolderStaysUntilTheNextOneBegins(t *testing.T) {
	w := newWorld(t, forty, poolFor("warm", "yes", 0), poolFor("a", "first", 2*time.Hour),
		poolFor("b", "second", time.Hour))
	w.another("tokens", forty, labelled("second"))
	for range 2 {
		w.look(0)
		w.lookOf("b")
	}
	w.another("bytes", forty, labelled("first"))
	for range 2 {
		w.lookOf("warm")
		w.lookOf("b")
		if got := w.held(); got["b"] != 4 || got["warm"] != 0 {
			t.Fatalf("held are %v before a looks, want 4 by b", got)
		}
	}
	for range 3 {
		w.lookOf("a")
		w.lookOf("warm")
		w.lookOf("b")
	}
	if got := w.held(); got["a"] != 4 || got["b"] != 0 || got["warm"] != 0 {
		t.Errorf("held are %v, want 4 by a", got)
	}
}

// What a WarmPool in mode DryRun would hold does not count as held.
func TestTrialThatBecomesActiveHasNotBegun(t *testing.T) {
	w := newWorld(t, forty, poolFor("warm", "yes", 0), poolFor("a", "theirs", time.Hour,
		func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }))
	w.another("tokens", forty, labelled("theirs"))
	w.look(0)
	w.lookOf("a")
	var a v1alpha1.WarmPool
	w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "a"}, &a))
	a.Spec.Mode = v1alpha1.WarmPoolActive
	w.must(w.client.Update(t.Context(), &a))
	w.look(0.25)
	if got := w.held(); got["warm"] != 4 {
		t.Errorf("held are %v before the one that was a trial looks, want 4", got)
	}
	for range 2 {
		w.lookOf("a")
		w.lookOf("warm")
	}
	if got := w.held(); got["a"] != 4 || got["warm"] != 0 {
		t.Errorf("held are %v, want 4 by the older one", got)
	}
}
