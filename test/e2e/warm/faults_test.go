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

// Images that the registry has and has not, and one whose pull takes for ever.
const (
	imageMissing  = warmImage
	imageThere    = "registry.example/model:2"
	imageStuck    = "registry.example/model:3"
	whatPodPulls  = `.metadata.labels["headstart.dev/role"] + " " + .spec.containers[0].image`
	pullOf        = "image-pull "
	pullsInFlight = "headstart.dev/role=image-pull"
)

// pullsFail has kwok play the registry: pods that pull the image that is missing wait with ErrImagePull for ever, those of the stuck one without.
func pullsFail(defaults []byte) []byte {
	const notDeleted = "    - {key: '.status.podIP', operator: DoesNotExist}\n"
	const others = notDeleted + `    - {key: '` + whatPodPulls + `', operator: NotIn, values: ['` + pullOf + imageMissing + `', '` + pullOf + imageStuck + `']}` + "\n"
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
    - {key: '`+whatPodPulls+`', operator: In, values: ['`+pullOf+imageMissing+`']}
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

// kubelets list an image on each node that a pod has pulled it onto, until the test ends.
func (w *warmWorld) kubelets(image string) {
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

// mostPulls counts, until the returned function is called, how many pull pods there are at a time.
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

// background does something every tenth of a second until the test ends.
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

// mode has the Forecast followed, or not.
func (w *warmWorld) mode(mode string) {
	w.t.Helper()
	w.kube("patch", "forecast", warmService, "--type=merge", "-p", `{"spec":{"mode":"`+mode+`"}}`)
}

func (w *warmWorld) image(image string) {
	w.t.Helper()
	w.kube("set", "image", "deployment/"+warmService, "server="+image)
}

// How often the warmer looks in this test, and what it may ask in a minute then, watches and Events aside: each look reads the quotas and the workload, and the
// status is written when it changes. A fault may cost no more than that.
const (
	faultInterval   = 2 * time.Second
	looksPerMinute  = 30
	readsPerMinute  = 4 * looksPerMinute
	writesPerMinute = 20
	// writesRefused is for how long the API server refuses writes. The looks have come down to one a minute by then.
	writesRefused = 130 * time.Second
)

// quiet holds what is asked over a span to the bounds, minute by minute, and logs it.
func (w *warmWorld) quiet(what string, over time.Duration) {
	w.t.Helper()
	begin := time.Now()
	time.Sleep(over)
	w.quietSince(what, begin)
}

// quietSince is the same for a span that is over. Its last minute is a whole one too, where it has as much, and overlaps with the one before.
func (w *warmWorld) quietSince(what string, begin time.Time) {
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

// webhookAway is asked about each pod of the placeholders' namespace, and does not answer.
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

// Faults that last: each is told by a condition, costs no more requests than no fault, leaks nothing, and is got over once it is mended.
func TestWarmFaults(t *testing.T) {
	w := newWarmWorld(t, warmOptions{nodes: 6, interval: faultInterval, stages: pullsFail})
	w.spec(`{"images":{"parallelism":2}}`)
	w.await("the spec is seen before the plan", func() bool {
		return w.of("warmpools", ".status.observedGeneration") == w.of("warmpools", ".metadata.generation")
	})
	w.plan(time.Now(), repeat(6, 20*time.Minute))

	t.Run("ImageDoesNotExist", func(t *testing.T) {
		w := w.in(t)
		// Two pull at a time. Those that fail keep no other node from it.
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
		w.await("the failing pull is told", func() bool { return w.status().reason("ImagesWarm") == "False PullFails" })
		w.quiet("an image that does not exist", 60*time.Second)
		if r := w.status().reason("Ready"); r != "False PullFails" {
			t.Errorf("Ready is %q", r)
		}
		w.kubelets(imageThere)
		w.image(imageThere)
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
		w.await("the quota counts", func() bool {
			q, err := w.Client.CoreV1().ResourceQuotas(warmNamespace).Get(t.Context(), "few", metav1.GetOptions{})
			return err == nil && q.Status.Used.Pods().Value() == 3
		})
		w.scale(0)
		w.await("the quota is told", func() bool { return w.status().reason("NodesWarm") == "False QuotaDenied" })
		w.quiet("a quota that denies", 10*time.Second)
		_, err := w.Kubectl(t.Context(), nil, "delete", "resourcequota", "few", "-n", warmNamespace)
		w.must(err)
		w.await("six placeholders without the quota", func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("WritesRefused", func(t *testing.T) {
		w := w.in(t)
		begin := time.Now()
		w.proxy.refuse(true)
		w.plan(time.Now(), repeat(3, 20*time.Minute)) // three are to go
		w.quiet("an API server that refuses writes", writesRefused)
		if all, _ := w.placeholders(); all != 6 {
			t.Fatalf("%d placeholders: their removal was not refused, the fault was not played", all)
		}
		refused := 0
		for _, a := range w.proxy.since(begin) {
			if a.status == http.StatusServiceUnavailable && a.counted() {
				refused++
			}
		}
		if refused == 0 {
			t.Error("nothing was refused: the fault was not played")
		}
		begin = time.Now()
		w.proxy.refuse(false)
		w.await("what was missed is made up for", func() bool {
			all, _ := w.placeholders()
			return all == 3 && w.status().Forecasts[0].Hold == 3 && w.status().reason("Ready") == "True AsPlanned"
		})
		t.Logf("made up for after %s", time.Since(begin).Round(time.Second))
		w.plan(time.Now(), repeat(6, 20*time.Minute))
		w.await("and goes on", func() bool { all, _ := w.placeholders(); return all == 6 })
		time.Sleep(10 * time.Second)
		w.quietSince("an API server that takes writes again", begin)
		if all, _ := w.placeholders(); all != 6 {
			t.Errorf("%d placeholders, want 6", all)
		}
	})

	t.Run("RightsMissing", func(t *testing.T) {
		w := w.in(t)
		w.image(imageStuck)
		pulls := func() int { return len(w.pods(namespace, pullsInFlight)) }
		w.await("two pulls in flight", func() bool { return pulls() == 2 })
		w.kube("delete", "rolebinding", "headstart-warm")
		w.await("it is told", func() bool { return w.status().reason("Ready") == "False Denied" })
		w.mode("Paused")
		w.await("what may still be removed is", func() bool { all, _ := w.placeholders(); return all == 0 })
		w.quiet("rights that are missing", 10*time.Second)
		w.await("it is told what may not be removed", func() bool {
			ready := meta.FindStatusCondition(w.status().Conditions, "Ready")
			return ready.Reason == "Denied" && strings.Contains(ready.Message, "cannot delete resource")
		})
		if n := pulls(); n != 2 {
			t.Errorf("%d pulls are left, want the two that may not be removed", n)
		}
		w.apply(rightsHere)
		w.await("nothing is left with the rights", func() bool { return pulls() == 0 && w.status().reason("Ready") == "False NotWarmed" })
		w.image(imageThere)
		w.mode("Active")
		w.await("and goes on", func() bool {
			all, _ := w.placeholders()
			return all == 6 && w.status().reason("Ready") == "True AsPlanned"
		})
	})

	t.Run("WebhookAway", func(t *testing.T) {
		w := w.in(t)
		w.scale(3)
		w.await("three places are left", func() bool { all, _ := w.placeholders(); return all == 3 })
		w.apply(webhookAway)
		w.await("the webhook is asked", func() bool {
			another := w.pods(warmNamespace, "headstart.dev/role=placeholder")[0]
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "asked", Namespace: warmNamespace}, Spec: another.Spec}
			pod.Spec.NodeName = ""
			_, err := w.Client.CoreV1().Pods(warmNamespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err != nil && strings.Contains(err.Error(), "away.example.com")
		})
		w.scale(0)
		w.await("it is told", func() bool {
			return w.status().reason("NodesWarm") == "False Failed" && w.status().reason("Ready") == "False Failed"
		})
		w.quiet("a webhook that is away", 20*time.Second)
		w.kube("delete", "validatingwebhookconfiguration", "away")
		w.await("and goes on", func() bool {
			all, _ := w.placeholders()
			return all == 6 && w.status().reason("Ready") == "True AsPlanned"
		})
	})

	t.Run("PlaceholdersNamespaceDeleted", func(t *testing.T) {
		w := w.in(t)
		_, err := w.Kubectl(t.Context(), nil, "delete", "namespace", warmNamespace, "--timeout="+patience.String())
		w.must(err)
		w.await("it is told", func() bool { return w.status().reason("NodesWarm") == "False Denied" })
		w.quiet("no namespace for placeholders", 10*time.Second)
		root := env.layout.Root
		_, err = w.Kubectl(t.Context(), nil, "apply", "-f", root+"/manifests/components/warm/namespace.yaml", "-f", root+"/manifests/components/warm/rbac.yaml")
		w.must(err)
		w.await("placeholders in the namespace made anew", func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("ServiceNamespaceDeleted", func(t *testing.T) {
		w := w.in(t)
		_, err := w.Kubectl(t.Context(), nil, "delete", "namespace", namespace, "--wait=false")
		w.must(err)
		w.await("no placeholder outlives its WarmPool", func() bool {
			return len(w.pods(warmNamespace, "headstart.dev/role=placeholder")) == 0
		})
		w.quiet("nothing left to warm", 10*time.Second)
	})
}
