package warm

import (
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
)

// Placeholders give way to real pods at once, do not come back for them, and are deleted with their
// WarmPool. A quota, a CapacityBuffer API that appears and vanishes, and a namespace that is
// deleted leave nothing behind.
func TestWarmPlaceholders(t *testing.T) {
	w := newWarmWorld(t, warmOptions{nodes: 6})
	w.plan(time.Now(), repeat(6, 20*time.Minute))
	w.await("six placeholders on six nodes", func() bool { _, bound := w.placeholders(); return bound == 6 })
	w.await("Ready", func() bool { return w.status().reason("Ready") == "True AsPlanned" })

	t.Run("GiveWay", func(t *testing.T) {
		w := w.in(t)
		begin := time.Now()
		w.scale(4)
		worst := time.Duration(0)
		seen := map[string]bool{}
		w.await("four replicas bound", func() bool {
			for _, p := range w.pods(namespace, warmServiceKey) {
				if p.Spec.NodeName != "" && !seen[p.Name] {
					seen[p.Name] = true
					worst = max(worst, time.Since(begin))
				}
			}
			return len(seen) == 4
		})
		t.Logf("four real pods onto nodes full of placeholders: all bound %s after the Deployment was scaled",
			worst.Round(time.Millisecond))
		if worst > 5*time.Second {
			t.Errorf("placeholders delayed a real pod: bound after %s, want at most 5 s", worst)
		}
		w.await("two placeholders are left", func() bool { all, _ := w.placeholders(); return all == 2 })
	})

	t.Run("StayTogether", func(t *testing.T) {
		w := w.in(t)
		affinity := func(value string) {
			w.kube("patch", "deployment", warmService, "--type=merge", "-p",
				`{"spec":{"template":{"spec":{"affinity":`+value+`}}}}`)
		}
		w.scale(0)
		w.await("no replica is left", func() bool { return len(w.pods(namespace, warmServiceKey)) == 0 })
		affinity(`{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[` +
			`{"topologyKey":"kubernetes.io/os","labelSelector":{"matchLabels":{"app":"model"}}}]}}`)
		together := func(others bool) func() bool {
			return func() bool {
				all, bound := 0, 0
				for _, p := range w.pods(warmNamespace, "headstart.dev/role=placeholder") {
					if a := p.Spec.Affinity; a != nil && a.PodAffinity != nil {
						term := a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0]
						if _, of := term.LabelSelector.MatchLabels["headstart.dev/role"]; of == others && p.DeletionTimestamp == nil {
							all++
							if p.Spec.NodeName != "" {
								bound++
							}
						}
					}
				}
				return all == bound && all == 6-len(w.pods(namespace, warmServiceKey))
			}
		}
		w.await("six placeholders before there is any replica to be with", together(true))
		w.scale(1)
		w.await("five that are with the first replica", together(false))
		affinity("null")
		w.scale(4)
		w.await("two placeholders are left", func() bool { all, bound := w.placeholders(); return all == 2 && bound == 2 })
	})

	t.Run("WholeNode", func(t *testing.T) {
		w := w.in(t)
		w.scale(0)
		whole := controlplane.GPUNodes(1, 1).Capacity
		w.kube("set", "resources", "deployment/"+warmService, "--requests=cpu="+whole.Cpu().String())
		w.setImage(imageThere)
		w.await("pulls beside placeholders that leave nothing on their nodes", func() bool {
			bound := 0
			for _, p := range w.pods(namespace, pullsInFlight) {
				if p.Spec.NodeName != "" && p.Spec.Containers[0].Image == imageThere {
					bound++
				}
			}
			all, held := w.placeholders()
			return bound == 6 && all == 6 && held == 6
		})
		w.kube("set", "resources", "deployment/"+warmService, "--requests=cpu=4,memory=16Gi")
		w.scale(4)
		w.await("two placeholders are left", func() bool { all, bound := w.placeholders(); return all == 2 && bound == 2 })
	})

	t.Run("Quota", func(t *testing.T) {
		w := w.in(t)
		w.limitPlaceholders(3, 2)
		w.scale(0)
		w.await("the quota bounds what is held", func() bool { return w.status().reason("NodesWarm") == "False Limited" })
		if all, _ := w.placeholders(); all > 3 {
			t.Errorf("%d placeholders under a quota of 3", all)
		}
		w.unlimitPlaceholders()
		w.await("six placeholders without the quota", func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("CapacityBuffer", func(t *testing.T) {
		w := w.in(t)
		w.apply(crd("autoscaling.x-k8s.io", "v1beta1", "CapacityBuffer", "Namespaced", capacityBufferSpec))
		w.await("the buffer takes over", func() bool {
			all, _ := w.placeholders()
			s := w.status()
			return all == 0 && len(s.Forecasts) == 1 && s.Forecasts[0].NodesBy == "CapacityBuffer"
		})
		w.await("a buffer of 6", func() bool { return w.field("capacitybuffers", ".spec.replicas") == "6" })
		_, err := w.Kubectl(t.Context(), nil, "delete", "crd", "capacitybuffers.autoscaling.x-k8s.io")
		w.must(err)
		w.await("placeholders take over again", func() bool { _, bound := w.placeholders(); return bound == 6 })
	})

	t.Run("Gone", func(t *testing.T) {
		w := w.in(t)
		_, err := w.Kubectl(t.Context(), nil, "delete", "namespace", namespace, "--wait=false")
		w.must(err)
		w.await("no placeholder outlives its WarmPool", func() bool {
			return len(w.pods(warmNamespace, "headstart.dev/role=placeholder")) == 0
		})
	})
}
