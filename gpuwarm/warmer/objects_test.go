package warmer

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// An object that a finalizer keeps is deleted once, and not replaced meanwhile.
func TestObjectsThatAreBeingDeleted(t *testing.T) {
	atomic := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesProvisioningRequest }
	rollout := func(w *world) {
		w.t.Helper()
		d := deployment()
		w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(d), d))
		d.Spec.Template.Spec.Containers[0].Image = "registry.example/model:2"
		w.must(w.client.Update(w.t.Context(), d))
	}
	name := names.Object("shop", "warm", "demand")
	cases := map[string]struct {
		pool   *v1alpha1.WarmPool
		object client.Object
		over   func(*world, client.Object)
	}{
		"ProvisioningRequest": {
			pool(noImages, atomic), kube.NewObject(kube.ProvisioningRequest, "shop", name),
			func(w *world, o client.Object) {
				o.(*unstructured.Unstructured).Object["status"] = map[string]any{"conditions": []any{
					map[string]any{"type": "BookingExpired", "status": "True"},
				}}
			},
		},
		"ImagePullJob": {
			pool(noNodes), kube.NewObject(kube.ImagePullJob, "shop", name), func(w *world, _ client.Object) { rollout(w) },
		},
		"Job": {
			pool(noImages, loads(v1alpha1.WarmWeights{CronJob: "load"})), newJob("shop", name),
			func(w *world, _ client.Object) { rollout(w) },
		},
	}
	for kind, tc := range cases {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, "20 20 20 20 20 50 50 50 50 50 50", tc.pool, cronJob("load"), node("a"))
			w.mapper.there[kind] = kind != "Job"
			w.look(3)
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(tc.object), tc.object))
			tc.object.SetFinalizers([]string{"example.com/slow"})
			tc.over(w, tc.object)
			w.must(w.client.Update(t.Context(), tc.object))
			writes := len(w.writes)
			for look := range 8 {
				s := w.look(3.25 + float64(look)/20)
				if got := s.Forecasts[0].Weights; kind == "Job" && got != "Loading" {
					t.Errorf("weights are %s while the last load is going", got)
				}
			}
			if got := strings.Join(w.writes[writes:], ", "); got != "delete "+kind {
				t.Errorf("wrote %q", got)
			}
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(tc.object), tc.object))
			tc.object.SetFinalizers(nil)
			w.must(w.client.Update(t.Context(), tc.object))
			w.look(3.75)
			if got := w.writes[len(w.writes)-1]; got != "create "+kind {
				t.Errorf("once it is gone the next is made, but last %q was written", got)
			}
		})
	}
}
