package warm

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// An image that the registry does not have, one that it has, and one whose pull never ends.
const (
	imageMissing  = warmImage
	imageThere    = "registry.example/model:2"
	imageStuck    = "registry.example/model:3"
	podPulls      = `.metadata.labels["headstart.dev/role"] + " " + .spec.containers[0].image`
	pullOf        = "image-pull "
	pullsInFlight = "headstart.dev/role=image-pull"
)

// pullsFail lets kwok simulate the registry: pods that pull the missing image wait with
// ErrImagePull forever. Those that pull the stuck one wait without.
func pullsFail(defaults []byte) []byte {
	const notDeleted = "    - {key: '.status.podIP', operator: DoesNotExist}\n"
	const others = notDeleted + `    - {key: '` + podPulls + `', operator: NotIn, values: ['` + pullOf + imageMissing + `', '` + pullOf + imageStuck + `']}` + "\n"
	return append(bytes.Replace(defaults, []byte(notDeleted), []byte(others), 1), []byte(`
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pull-fails}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: '.metadata.deletionTimestamp', operator: DoesNotExist}
    - {key: '.status.podIP', operator: DoesNotExist}
    - {key: '`+podPulls+`', operator: In, values: ['`+pullOf+imageMissing+`']}
  next:
    statusTemplate: |
      containerStatuses:
      {{ range .spec.containers }}
      - image: {{ .image | Quote }}
        imageID: ""
        name: {{ .name | Quote }}
        ready: false
        restartCount: 0
        started: false
        state: {waiting: {reason: ErrImagePull}}
      {{ end }}
      podIP: 10.0.0.1
      phase: Pending
`)...)
}

// simulateKubelets simulates the kubelets until the test ends: a node lists an image after a pod has pulled
// it.
func (w *warmWorld) simulateKubelets(image string) {
	w.t.Helper()
	patch := fmt.Sprintf(`{"status":{"images":[{"names":[%q],"sizeBytes":20000000000}]}}`, image)
	w.background(func(ctx context.Context) {
		pods, err := w.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: pullsInFlight})
		if err != nil {
			return
		}
		for _, p := range pods.Items {
			if p.Status.Phase == corev1.PodRunning && p.Spec.Containers[0].Image == image {
				_, _ = w.Client.CoreV1().Nodes().Patch(ctx, p.Spec.NodeName, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status") // the next round tries again
			}
		}
	})
}

// mostPulls counts the largest number of pull pods at a time, until the returned function is
// called.
func (w *warmWorld) mostPulls() func() int {
	w.t.Helper()
	var most atomic.Int64
	w.background(func(ctx context.Context) {
		if pods, err := w.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: pullsInFlight}); err == nil {
			most.Store(max(most.Load(), int64(len(pods.Items))))
		}
	})
	return func() int { return int(most.Load()) }
}

// background calls a function ten times a second until the test ends.
func (w *warmWorld) background(do func(context.Context)) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			do(ctx)
			time.Sleep(100 * time.Millisecond)
		}
	})
	w.t.Cleanup(func() { cancel(); done.Wait() })
}

// setMode sets the Forecast's mode.
func (w *warmWorld) setMode(mode string) {
	w.t.Helper()
	w.kube("patch", "forecast", warmService, "--type=merge", "-p", `{"spec":{"mode":"`+mode+`"}}`)
}

func (w *warmWorld) setImage(image string) {
	w.t.Helper()
	w.kube("set", "image", "deployment/"+warmService, "server="+image)
}

// The warmer's interval in this test, and the requests that it may make in a minute. Watches and
// Events are not counted. Each reconciliation reads the quotas and the workload, and writes the
// status if it changed. A fault may not cause more requests than that.
const (
	faultInterval       = 2 * time.Second
	reconcilesPerMinute = 30
	readsPerMinute      = 4 * reconcilesPerMinute
	writesPerMinute     = 20
	// writesRefused is the time for which the API server rejects writes. By its end the warmer has
	// backed off to one reconciliation a minute.
	writesRefused = 130 * time.Second
)

// checkRequests counts the requests for a while, logs them, and checks the bounds for every minute.
func (w *warmWorld) checkRequests(what string, over time.Duration) {
	w.t.Helper()
	begin := time.Now()
	time.Sleep(over)
	w.checkRequestsSince(what, begin)
}

// checkRequestsSince does the same for a time that has passed. Its last minute is a whole one, if the time
// is as long as that, and overlaps with the one before.
func (w *warmWorld) checkRequestsSince(what string, begin time.Time) {
	w.t.Helper()
	all, end := w.proxy.since(begin), time.Now()
	for from := begin; from.Before(end); from = from.Add(time.Minute) {
		switch left := end.Sub(from); {
		case from.After(begin) && left < 6*time.Second:
			return
		case from.After(begin) && left < time.Minute:
			from = end.Add(-time.Minute)
		}
		span := min(end.Sub(from), time.Minute)
		minutes, reads, writes := span.Minutes(), 0, 0
		for _, a := range all {
			switch {
			case !a.counted() || a.at.Before(from) || a.at.After(from.Add(span)):
			case a.writes():
				writes++
			default:
				reads++
			}
		}
		w.t.Logf("%s: %.0f reads and %.0f writes a minute", what, float64(reads)/minutes, float64(writes)/minutes)
		if float64(reads) > readsPerMinute*minutes || float64(writes) > writesPerMinute*minutes {
			w.t.Errorf("%s: %d reads and %d writes in %s, want at most %d and %d a minute", what, reads, writes, span, readsPerMinute, writesPerMinute)
		}
	}
}

// webhookAway is called for each pod of the placeholders' namespace, and does not answer.
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

// Faults that last: a condition reports each, it causes no more requests than no fault, it leaks
// nothing, and the warmer recovers once it is gone.
func TestWarmFaults(t *testing.T) {
	w := newWarmWorld(t, warmOptions{nodes: 6, interval: faultInterval, stages: pullsFail})
	w.spec(`{"images":{"parallelism":2}}`)
	w.await("the new spec is observed before the plan is written", func() bool {
		return w.field("warmpools", ".status.observedGeneration") == w.field("warmpools", ".metadata.generation")
	})
	w.plan(time.Now(), repeat(6, 20*time.Minute))

	t.Run("ImageDoesNotExist", func(t *testing.T) {
		w := w.in(t)
		// Two pods pull at a time. Failing pulls do not keep other nodes from pulling.
		most, tried := w.mostPulls(), map[string]bool{}
		w.await("pulls were tried on other nodes than the first two", func() bool {
			for _, p := range w.pods(namespace, pullsInFlight) {
				if p.Spec.NodeName != "" {
					tried[p.Spec.NodeName] = true
				}
			}
			return len(tried) >= 4
		})
		w.await("six placeholders on six nodes", func() bool { _, bound := w.placeholders(); return bound == 6 })
		w.await("the failing pull is reported", func() bool { return w.status().reason("ImagesWarm") == "False PullFails" })
		w.checkRequests("an image that does not exist", 60*time.Second)
		if r := w.status().reason("Ready"); r != "False PullFails" {
			t.Errorf("Ready is %q", r)
		}
		w.simulateKubelets(imageThere)
		w.setImage(imageThere)
		w.await("all six nodes have the image of the next rollout, and nothing pulls any more", func() bool {
			return len(w.pods(namespace, pullsInFlight)) == 0 && w.status().reason("ImagesWarm") == "True AsPlanned" && w.status().reason("Ready") == "True AsPlanned"
		})
		if n := most(); n != 2 {
			t.Errorf("%d pods pulled at a time, parallelism is 2", n)
		}
	})

	t.Run("Quota", func(t *testing.T) {
		w := w.in(t)
		w.scale(3)
		w.await("three places are left", func() bool { all, _ := w.placeholders(); return all == 3 })
		w.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: few, namespace: headstart-warm}, spec: {hard: {pods: "3"}}}`)
		w.await("the quota is in force", func() bool {
			q, err := w.Client.CoreV1().ResourceQuotas(warmNamespace).Get(t.Context(), "few", metav1.GetOptions{})
			return err == nil && q.Status.Used.Pods().Value() == 3
		})
		w.scale(0)
		w.await("the quota is reported", func() bool { return w.status().reason("NodesWarm") == "False QuotaDenied" })
		w.checkRequests("a quota that denies", 10*time.Second)
		_, err := w.Kubectl(t.Context(), nil, "delete", "resourcequota", "few", "-n", warmNamespace)
		w.must(err)
		w.await("six placeholders without the quota", func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("WritesRefused", func(t *testing.T) {
		w := w.in(t)
		begin := time.Now()
		w.proxy.refuse(true)
		w.plan(time.Now(), repeat(3, 20*time.Minute)) // three must be removed
		w.checkRequests("an API server that refuses writes", writesRefused)
		if all, _ := w.placeholders(); all != 6 {
			t.Fatalf("%d placeholders: their removal was not refused, the fault was not simulated", all)
		}
		refused := 0
		for _, a := range w.proxy.since(begin) {
			if a.status == http.StatusServiceUnavailable && a.counted() {
				refused++
			}
		}
		if refused == 0 {
			t.Error("nothing was refused: the fault was not simulated")
		}
		begin = time.Now()
		w.proxy.refuse(false)
		w.await("everything missed is done", func() bool {
			all, _ := w.placeholders()
			return all == 3 && w.status().Forecasts[0].Hold == 3 && w.status().reason("Ready") == "True AsPlanned"
		})
		t.Logf("everything missed was done after %s", time.Since(begin).Round(time.Second))
		w.plan(time.Now(), repeat(6, 20*time.Minute))
		w.await("the warmer goes on", func() bool { all, _ := w.placeholders(); return all == 6 })
		time.Sleep(10 * time.Second)
		w.checkRequestsSince("an API server that takes writes again", begin)
		if all, _ := w.placeholders(); all != 6 {
			t.Errorf("%d placeholders, want 6", all)
		}
	})

	t.Run("RightsMissing", func(t *testing.T) {
		w := w.in(t)
		w.setImage(imageStuck)
		pulls := func() int { return len(w.pods(namespace, pullsInFlight)) }
		w.await("two pulls in flight", func() bool { return pulls() == 2 })
		w.kube("delete", "rolebinding", "headstart-warm")
		w.await("the fault is reported", func() bool { return w.status().reason("Ready") == "False Denied" })
		w.setMode("Paused")
		w.await("what may still be removed is", func() bool { all, _ := w.placeholders(); return all == 0 })
		w.checkRequests("permissions that are missing", 10*time.Second)
		w.await("what may not be removed is reported", func() bool {
			ready := meta.FindStatusCondition(w.status().Conditions, "Ready")
			return ready.Reason == "Denied" && strings.Contains(ready.Message, "cannot delete resource")
		})
		if n := pulls(); n != 2 {
			t.Errorf("%d pulls are left, want the two that may not be removed", n)
		}
		w.apply(namespaceRights)
		w.await("nothing is left once the permissions are back", func() bool { return pulls() == 0 && w.status().reason("Ready") == "False NotWarmed" })
		w.setImage(imageThere)
		w.setMode("Active")
		w.await("the warmer goes on", func() bool {
			all, _ := w.placeholders()
			return all == 6 && w.status().reason("Ready") == "True AsPlanned"
		})
	})

	t.Run("WebhookAway", func(t *testing.T) {
		w := w.in(t)
		w.scale(3)
		w.await("three places are left", func() bool { all, _ := w.placeholders(); return all == 3 })
		w.apply(webhookAway)
		w.await("the webhook is called", func() bool {
			another := w.pods(warmNamespace, "headstart.dev/role=placeholder")[0]
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "trial", Namespace: warmNamespace}, Spec: another.Spec}
			pod.Spec.NodeName = ""
			_, err := w.Client.CoreV1().Pods(warmNamespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err != nil && strings.Contains(err.Error(), "away.example.com")
		})
		w.scale(0)
		w.await("the fault is reported", func() bool {
			return w.status().reason("NodesWarm") == "False Failed" && w.status().reason("Ready") == "False Failed"
		})
		w.checkRequests("a webhook that is away", 20*time.Second)
		w.kube("delete", "validatingwebhookconfiguration", "away")
		w.await("the warmer goes on", func() bool {
			all, _ := w.placeholders()
			return all == 6 && w.status().reason("Ready") == "True AsPlanned"
		})
	})

	t.Run("PlaceholdersNamespaceDeleted", func(t *testing.T) {
		w := w.in(t)
		_, err := w.Kubectl(t.Context(), nil, "delete", "namespace", warmNamespace, "--timeout="+timeout.String())
		w.must(err)
		w.await("the fault is reported", func() bool { return w.status().reason("NodesWarm") == "False Denied" })
		w.checkRequests("no namespace for placeholders", 10*time.Second)
		root := env.layout.Root
		_, err = w.Kubectl(t.Context(), nil, "apply", "-f", root+"/manifests/components/warm/namespace.yaml", "-f", root+"/manifests/components/warm/rbac.yaml")
		w.must(err)
		w.await("placeholders in the new namespace", func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("ServiceNamespaceDeleted", func(t *testing.T) {
		w := w.in(t)
		_, err := w.Kubectl(t.Context(), nil, "delete", "namespace", namespace, "--wait=false")
		w.must(err)
		w.await("no placeholder outlives its WarmPool", func() bool {
			return len(w.pods(warmNamespace, "headstart.dev/role=placeholder")) == 0
		})
		w.checkRequests("nothing left to warm", 10*time.Second)
	})
}
