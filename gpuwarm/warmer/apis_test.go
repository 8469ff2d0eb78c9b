package warmer

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// An API can be gone while discovery still lists it. The same look uses another way, or reports it,
// and nothing more is written for that API.
func TestAPIsThatAreRemoved(t *testing.T) {
	atomic := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesProvisioningRequest }
	cases := map[string]struct {
		kind string
		pool *v1alpha1.WarmPool
		cond string
		says string
	}{
		"CapacityBuffer":      {"CapacityBuffer", pool(noImages), v1alpha1.ConditionNodesWarm, "held for 0 of 2 replicas"},
		"ProvisioningRequest": {"ProvisioningRequest", pool(noImages, atomic), v1alpha1.ConditionNodesWarm, "no such API"},
		"ImagePullJob":        {"ImagePullJob", pool(noNodes), v1alpha1.ConditionImagesWarm, "0 of 1 nodes"},
		"DataLoad": {
			"DataLoad", pool(noImages,
				loads(v1alpha1.WarmWeights{DataLoad: &v1alpha1.WarmDataLoad{Dataset: "x"}})),
			v1alpha1.ConditionWeightsWarm, "no such API",
		},
		"LocalModelCache": {
			"LocalModelCache", pool(noImages, loads(v1alpha1.WarmWeights{LocalModelCache: "llama"})),
			v1alpha1.ConditionWeightsWarm, "no such API",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, tc.pool, node("a"))
			w.mapper.there[tc.kind] = true
			w.unread = func(kind string) error {
				if kind == tc.kind || kind == tc.kind+"List" {
					return unserved("x")
				}
				return nil
			}
			w.refuse = func(_ string, o client.Object) error {
				if kindOf(o) == tc.kind {
					return unserved("")
				}
				return nil
			}
			if s := w.look(0); !strings.Contains(messageOf(s, tc.cond), tc.says) {
				t.Errorf("%s: %s", reasonOf(s, tc.cond), messageOf(s, tc.cond))
			}
			for _, p := range w.ours(names.RolePull) {
				w.bind(&p, "a") // and is being pulled for long
			}
			writes := len(w.writes)
			for look := range 40 {
				if s := w.look(0.25 + float64(look)/4); !strings.Contains(messageOf(s, tc.cond), tc.says) {
					t.Fatalf("look %d: %s: %s", look, reasonOf(s, tc.cond), messageOf(s, tc.cond))
				}
			}
			if n := len(w.writes) - writes; n > 0 {
				t.Errorf("%d writes in ten minutes in which nothing changed: %v", n, w.writes[writes:])
			}
			if w.mapper.asked > 5*11 {
				t.Errorf("discovery was asked %d times in ten minutes, want once a minute for each API", w.mapper.asked)
			}
		})
	}
}
