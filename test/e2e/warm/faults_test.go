package warm

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// faultNodes is the number of nodes in the tests of faults, and of replicas in their plan.
const faultNodes = 6

// newFaultWorld returns a world with a plan for six replicas, whose image the registry does not
// have.
func newFaultWorld(t *testing.T) *warmWorld {
	t.Helper()
	w := newWarmWorld(t, warmOptions{nodes: faultNodes, interval: faultInterval, stages: pullsFail})
	w.spec(`{"images":{"parallelism":2}}`)
	w.await("the new spec is observed before the plan is written", func() bool {
		return w.field("warmpools", ".status.observedGeneration") == w.field("warmpools", ".metadata.generation")
	})
	w.plan(time.Now(), repeat(faultNodes, 20*time.Minute))
	return w
}

// These faults last until the test ends them. A condition reports each fault, it causes no more API
// requests than normal operation, it leaks nothing, and the warmer recovers once it is gone.
func TestWarmFaults(t *testing.T) {
	t.Parallel() // waits most of the time
	w := newFaultWorld(t)
	for _, fault := range []struct {
		name string
		test func(*warmWorld)
	}{
		{"ImageDoesNotExist", testImageDoesNotExist},
		{"Quota", testQuota},
		{"PermissionsMissing", testPermissionsMissing},
		{"WebhookAway", testWebhookAway},
		{"PlaceholdersNamespaceDeleted", testPlaceholdersNamespaceDeleted},
		{"ServiceNamespaceDeleted", testServiceNamespaceDeleted},
	} {
		t.Run(fault.name, func(t *testing.T) { fault.test(w.in(t)) })
	}
}

func testImageDoesNotExist(w *warmWorld) {
	// Two pods pull at a time. Failing pulls do not keep other nodes from pulling.
	maxPulls, tried := w.mostPulls(), map[string]bool{}
	w.await("pulls were tried on other nodes than the first two", func() bool {
		for _, p := range w.pods(namespace, pullsInFlight) {
			if p.Spec.NodeName != "" {
				tried[p.Spec.NodeName] = true
			}
		}
		return len(tried) >= 4
	})
	w.await("six placeholders on six nodes", func() bool { _, bound := w.placeholders(); return bound == 6 })
	w.await("the failing pull is reported", w.hasReason("ImagesWarm", "False PullFails"))
	w.checkRequests("an image that does not exist", 60*time.Second)
	if r := w.status().reason("Ready"); r != "False PullFails" {
		w.t.Errorf("Ready is %q", r)
	}
	w.simulateKubelets(imageThere)
	w.setImage(imageThere)
	w.await("all six nodes have the image of the next rollout, and nothing pulls any more", func() bool {
		s := w.status()
		return len(w.pods(namespace, pullsInFlight)) == 0 &&
			s.reason("ImagesWarm") == "True AsPlanned" && s.reason("Ready") == "True AsPlanned"
	})
	if n := maxPulls(); n != 2 {
		w.t.Errorf("%d pods pulled at a time, parallelism is 2", n)
	}
}

func testQuota(w *warmWorld) {
	w.scale(3)
	w.await("three nodes are held", w.hasPlaceholders(3))
	w.limitPlaceholders(3, 3)
	w.scale(0)
	w.await("the quota bounds what is held", w.hasReason("NodesWarm", "False Limited"))
	w.checkRequests("a quota that denies", 10*time.Second)
	w.unlimitPlaceholders()
	w.await("six placeholders without the quota", w.hasPlaceholders(6))
}

func testPermissionsMissing(w *warmWorld) {
	w.setImage(imageStuck)
	pulls := func() int { return len(w.pods(namespace, pullsInFlight)) }
	w.await("two pulls in flight", func() bool { return pulls() == 2 })
	w.kube("delete", "rolebinding", "headstart-warm")
	w.await("the fault is reported", w.hasReason("Ready", "False Denied"))
	w.setMode("Paused")
	w.await("the placeholders, which may still be deleted, are gone", w.hasPlaceholders(0))
	w.checkRequests("permissions that are missing", 10*time.Second)
	w.await("the pull pods, which may not be deleted, are reported", func() bool {
		ready := meta.FindStatusCondition(w.status().Conditions, "Ready")
		return ready.Reason == "Denied" && strings.Contains(ready.Message, "cannot delete resource")
	})
	if n := pulls(); n != 2 {
		w.t.Errorf("%d pulls are left, want the two that may not be deleted", n)
	}
	w.apply(namespaceRights)
	w.await("nothing is left once the permissions are back", func() bool {
		return pulls() == 0 && w.status().reason("Ready") == "False NotWarmed"
	})
	w.setImage(imageThere)
	w.setMode("Active")
	w.awaitRecovery()
}

// webhookAway is called for each new pod in the placeholders' namespace. Nothing listens at its
// URL.
const webhookAway = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: away}
webhooks:
- name: away.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  clientConfig: {url: "https://127.0.0.1:1/"}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: headstart-warm}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]`

func testWebhookAway(w *warmWorld) {
	w.scale(3)
	w.await("three nodes are held", w.hasPlaceholders(3))
	w.apply(webhookAway)
	w.await("the webhook is called", func() bool {
		placeholder := w.pods(warmNamespace, "headstart.dev/role=placeholder")[0]
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "trial", Namespace: warmNamespace}, Spec: placeholder.Spec}
		pod.Spec.NodeName = ""
		dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
		_, err := w.Client.CoreV1().Pods(warmNamespace).Create(w.t.Context(), pod, dryRun)
		return err != nil && strings.Contains(err.Error(), "away.example.com")
	})
	w.scale(0)
	w.await("the fault is reported", func() bool {
		s := w.status()
		return s.reason("NodesWarm") == "False Failed" && s.reason("Ready") == "False Failed"
	})
	w.checkRequests("a webhook that does not answer", 20*time.Second)
	w.kube("delete", "validatingwebhookconfiguration", "away")
	w.awaitRecovery()
}

func testPlaceholdersNamespaceDeleted(w *warmWorld) {
	_, err := w.Kubectl(w.t.Context(), nil, "delete", "namespace", warmNamespace, "--timeout="+timeout.String())
	w.must(err)
	w.await("the fault is reported", w.hasReason("NodesWarm", "False Denied"))
	w.checkRequests("no namespace for placeholders", 10*time.Second)
	component := env.layout.Root + "/manifests/components/warm/"
	_, err = w.Kubectl(w.t.Context(), nil, "apply", "-f", component+"namespace.yaml", "-f", component+"rbac.yaml")
	w.must(err)
	w.await("placeholders in the new namespace", w.hasPlaceholders(6))
}

func testServiceNamespaceDeleted(w *warmWorld) {
	_, err := w.Kubectl(w.t.Context(), nil, "delete", "namespace", namespace, "--wait=false")
	w.must(err)
	w.await("no placeholder outlives its WarmPool", func() bool {
		return len(w.pods(warmNamespace, "headstart.dev/role=placeholder")) == 0
	})
	w.checkRequests("nothing left to warm", 10*time.Second)
}

// awaitRecovery waits until everything is as planned again.
func (w *warmWorld) awaitRecovery() {
	w.t.Helper()
	w.await("the warmer goes on", func() bool {
		all, _ := w.placeholders()
		return all == faultNodes && w.status().reason("Ready") == "True AsPlanned"
	})
}
