package warm

import (
	"strings"
	"testing"
	"time"
)

const mirroredImage = "mirror.example/hub/model:1"

// fromMirror lets the API server change the images of the namespace's pods to those of a mirror, as
// webhooks of caching registries do.
const fromMirror = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: mirror}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: |
        [JSONPatch{
          op: "replace", path: "/spec/containers/0/image",
          value: object.spec.containers[0].image.replace("registry.example/", "mirror.example/hub/")
        }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: mirror}
spec: {policyName: mirror}`

// Nodes that list an image by the mirror's name have it. Each node pulls it once, and replicas that
// start there are warm.
func TestWarmFromAMirror(t *testing.T) {
	t.Parallel() // waits most of the time
	const nodes = 4
	begin := time.Now()
	w := newWarmWorld(t, warmOptions{nodes: nodes, before: fromMirror})
	w.simulateKubelets(mirroredImage)
	w.await("the policy is in force", func() bool {
		out, err := w.Kubectl(t.Context(), nil, "run", "probe", "-n", namespace, "--image=registry.example/probe:1",
			"--dry-run=server", "-o", "jsonpath={.spec.containers[0].image}")
		return err == nil && strings.HasPrefix(out, "mirror.example/hub/")
	})
	w.plan(time.Now(), repeat(nodes, 20*time.Minute))
	w.await("all nodes have the image, by the mirror's name",
		func() bool { return w.metric("headstart_warm_image_nodes", `state="warm"`) == nodes })
	w.scale(nodes)
	w.await("all replicas came onto a node with their image",
		func() bool { return w.metric("headstart_warm_placements_total", `node="warm"`) == nodes })
	for _, p := range w.pods(namespace, warmServiceKey) {
		if image := p.Spec.Containers[0].Image; image != mirroredImage {
			t.Errorf("the replicas have the image %s: the policy did not count", image)
		}
	}
	pulls := 0
	for _, a := range w.proxy.since(begin) {
		if a.verb == "create" && a.resource == "pods" && a.namespace == namespace {
			pulls++
		}
	}
	if pulls != nodes {
		t.Errorf("%d pulls were created, want one for each of %d nodes", pulls, nodes)
	}
}
