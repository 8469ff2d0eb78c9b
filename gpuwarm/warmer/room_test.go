package warmer

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// Replicas with ports of the host have one node each, however much room there is.
func TestRoomForPortsOfTheHost(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*corev1.PodSpec)
		held   int32 // of three, on two nodes of which one has a replica, and one should have one that waits
		images int32 // nodes that should have the image, of four
		can    string
	}{
		"None": {"Two replicas fit onto each node.", func(*corev1.PodSpec) {}, 2, 3, "the nodes can give 4"},
		"HostPort": {
			"Both nodes are taken.",
			func(s *corev1.PodSpec) {
				s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8000, HostPort: 8000}}
			}, 0, 4, "the nodes can give 2",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			big := func(name string) *corev1.Node {
				n := node(name, image)
				n.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("2")
				return n
			}
			w := newWorld(t, strings.Repeat("50 ", 60), pool(noImages), big("a"), big("b"))
			w.mapper.there["CapacityBuffer"] = true
			changeTemplate(tc.change)(w, nil)
			w.replica("a")
			w.replica("")
			if s := w.look(0); s.Forecasts[0].Hold != 3 || s.Forecasts[0].Held != tc.held {
				t.Errorf("\nReason: %s\nof three %d are held, want %d: %+v", tc.reason, s.Forecasts[0].Held, tc.held,
					s.Forecasts[0])
			}
			var p v1alpha1.WarmPool
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(pool()), &p))
			p.Spec.Nodes.Policy, p.Spec.Images.Policy = v1alpha1.WarmNodesOff, v1alpha1.WarmImagesAuto
			w.must(w.client.Update(t.Context(), &p))
			if s := w.look(0.25); !strings.Contains(s.Forecasts[0].Message, tc.can) {
				t.Errorf("\nReason: %s\n%s, want %s", tc.reason, s.Forecasts[0].Message, tc.can)
			}
			w.must(w.client.Create(t.Context(), big("c")))
			w.must(w.client.Create(t.Context(), big("d")))
			if s := w.look(0.5); s.Forecasts[0].ImageNodes != tc.images {
				t.Errorf("\nReason: %s\n%d nodes should have the image, want %d", tc.reason, s.Forecasts[0].ImageNodes, tc.images)
			}
		})
	}
}
