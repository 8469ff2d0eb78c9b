package warmer

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// A new node with the name of an old one does not have the old one's image, and does not wait for
// the old one's failures.
func TestNodesOfOneName(t *testing.T) {
	renew := func(w *world, n *corev1.Node) {
		w.t.Helper()
		w.must(w.client.Delete(w.t.Context(), n.DeepCopy()))
		w.must(w.client.Create(w.t.Context(), n))
	}
	t.Run("Failed", func(t *testing.T) {
		w := newWorld(t, steady, pool(noNodes), node("a"))
		for look := range 8 { // it waits for minutes by then
			w.look(float64(look))
			w.failing("ErrImagePull")
		}
		w.look(8)
		w.clock.SetTime(start.Add(8*time.Minute + time.Second))
		renew(w, node("a"))
		w.look(8.1)
		if w.look(8.2); len(w.ours(names.RolePull)) != 1 {
			t.Error("it is not tried on the new node")
		}
	})
	t.Run("Pulled", func(t *testing.T) {
		w := newWorld(t, steady, pool(noNodes))
		w.must(w.client.Create(t.Context(), full("a"))) // in the second that the pull is made in, too
		w.look(0)
		w.kubelet("registry.example/other" + digest)
		w.lists("a", fifty...)
		before := w.ids(names.RolePull)
		if s := w.look(0.25); s.Forecasts[0].ImageNodesReady != 1 || len(before) != 1 ||
			!slices.Equal(before, w.ids(names.RolePull)) {
			t.Fatalf("the pull succeeded: %+v", s.Forecasts[0])
		}
		w.clock.SetTime(start.Add(time.Minute))
		renew(w, full("a"))
		if s := w.look(1.25); s.Forecasts[0].ImageNodesReady != 0 {
			t.Errorf("the node has what the one of that name before had: %+v", s.Forecasts[0])
		}
		w.look(1.5)
		if now := w.ids(names.RolePull); len(now) != 1 || now[0] == before[0] {
			t.Errorf("it is not pulled onto the new node: %v, and before %v", now, before)
		}
	})
	t.Run("Job", func(t *testing.T) {
		w := newWorld(t, steady, pool(noNodes), full("a"))
		w.mapper.there["ImagePullJob"] = true
		w.look(0)
		job := w.pullJobIs()
		if s := w.look(0.25); s.Forecasts[0].ImageNodesReady != 1 {
			t.Fatalf("the job succeeded: %+v", s.Forecasts[0])
		}
		w.clock.SetTime(start.Add(time.Minute))
		renew(w, full("a"))
		if s := w.look(1.25); s.Forecasts[0].ImageNodesReady != 0 {
			t.Errorf("the node has what the one of that name before had: %+v", s.Forecasts[0])
		}
		w.look(1.5)
		if now := w.pullJobIs(); now == job || now == "" {
			t.Errorf("it is not pulled onto the new node: %q", now)
		}
	})
}
