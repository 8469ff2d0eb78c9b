package warm

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pullsFail has kwok play a registry that has not got the image: pods that pull wait with ErrImagePull for ever.
func pullsFail(defaults []byte) []byte {
	const notDeleted = "    - {key: '.status.podIP', operator: DoesNotExist}\n"
	const others = notDeleted + `    - {key: '.metadata.labels["headstart.dev/role"]', operator: NotIn, values: [image-pull]}` + "\n"
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
    - {key: '.metadata.labels["headstart.dev/role"]', operator: In, values: [image-pull]}
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

// How often the warmer looks in this test, and what it may ask in a minute then, watches and Events aside: each look reads the quotas and the workload, and the
// status is written when it changes. A fault may cost no more than that.
const (
	faultInterval   = 2 * time.Second
	looksPerMinute  = 30
	readsPerMinute  = 4 * looksPerMinute
	writesPerMinute = 20
)

// quiet holds what was asked over a span to the bounds, and logs it.
func (w *warmWorld) quiet(what string, over time.Duration) {
	w.t.Helper()
	begin := time.Now()
	time.Sleep(over)
	reads, writes := 0, 0
	for _, a := range w.proxy.since(begin) {
		switch {
		case !a.counted():
		case a.writes():
			writes++
		default:
			reads++
		}
	}
	minutes := over.Minutes()
	w.t.Logf("%s: %.0f reads and %.0f writes a minute", what, float64(reads)/minutes, float64(writes)/minutes)
	if float64(reads) > readsPerMinute*minutes || float64(writes) > writesPerMinute*minutes {
		w.t.Errorf("%s: %d reads and %d writes in %s, want at most %d and %d a minute", what, reads, writes, over, readsPerMinute, writesPerMinute)
	}
}

// Faults that last: each is told by a condition, costs no more requests than no fault, leaks nothing, and is got over once it is mended.
func TestWarmFaults(t *testing.T) {
	w := newWarmWorld(t, warmOptions{nodes: 6, interval: faultInterval, stages: pullsFail})
	w.plan(time.Now(), repeat(6, 20*time.Minute))
	w.await("six placeholders on six nodes", 60*time.Second, func() bool { _, bound := w.placeholders(); return bound == 6 })

	t.Run("ImageDoesNotExist", func(t *testing.T) {
		w := w.in(t)
		w.await("the failing pull is told", 60*time.Second, func() bool { return w.status().reason("ImagesWarm") == "False PullFails" })
		w.quiet("an image that does not exist", 10*time.Second)
		if n := len(w.pods(namespace, "headstart.dev/role=image-pull")); n > 10 {
			t.Errorf("%d pods pull, parallelism is 10", n)
		}
		if r := w.status().reason("Ready"); r != "False PullFails" {
			t.Errorf("Ready is %q", r)
		}
		w.spec(`{"images":{"policy":"Off"}}`)
		w.await("nothing pulls any more", 30*time.Second, func() bool {
			return len(w.pods(namespace, "headstart.dev/role=image-pull")) == 0 && w.status().reason("Ready") == "True AsPlanned"
		})
	})

	t.Run("Quota", func(t *testing.T) {
		w := w.in(t)
		w.scale(3)
		w.await("three places are left", 30*time.Second, func() bool { all, _ := w.placeholders(); return all == 3 })
		w.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: few, namespace: headstart-warm}, spec: {hard: {pods: "3"}}}`)
		w.await("the quota counts", 30*time.Second, func() bool {
			q, err := w.Client.CoreV1().ResourceQuotas(warmNamespace).Get(t.Context(), "few", metav1.GetOptions{})
			return err == nil && q.Status.Used.Pods().Value() == 3
		})
		w.scale(0)
		w.await("the quota is told", 30*time.Second, func() bool { return w.status().reason("NodesWarm") == "False QuotaDenied" })
		w.quiet("a quota that denies", 10*time.Second)
		_, err := w.Kubectl(t.Context(), nil, "delete", "resourcequota", "few", "-n", warmNamespace)
		w.must(err)
		w.await("six placeholders without the quota", 60*time.Second, func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("WritesRefused", func(t *testing.T) {
		w := w.in(t)
		begin := time.Now()
		w.proxy.refuse(true)
		w.scale(4)
		w.quiet("an API server that refuses writes", 30*time.Second)
		refused := 0
		for _, a := range w.proxy.since(begin) {
			if a.status == http.StatusServiceUnavailable && a.counted() {
				refused++
			}
		}
		if refused == 0 {
			t.Error("nothing was refused: the fault was not played")
		}
		w.proxy.refuse(false)
		w.await("what was missed is made up for", 90*time.Second, func() bool {
			all, _ := w.placeholders()
			return all == 2 && w.status().reason("Ready") == "True AsPlanned"
		})
		w.scale(0)
		w.await("and goes on", 60*time.Second, func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("PlaceholdersNamespaceDeleted", func(t *testing.T) {
		w := w.in(t)
		_, err := w.Kubectl(t.Context(), nil, "delete", "namespace", warmNamespace, "--timeout=60s")
		w.must(err)
		w.await("it is told", 30*time.Second, func() bool { return w.status().reason("NodesWarm") == "False Denied" })
		w.quiet("no namespace for placeholders", 10*time.Second)
		root := env.layout.Root
		_, err = w.Kubectl(t.Context(), nil, "apply", "-f", root+"/manifests/components/warm/namespace.yaml", "-f", root+"/manifests/components/warm/rbac.yaml")
		w.must(err)
		w.await("placeholders in the namespace made anew", 60*time.Second, func() bool { all, _ := w.placeholders(); return all == 6 })
	})

	t.Run("ServiceNamespaceDeleted", func(t *testing.T) {
		w := w.in(t)
		_, err := w.Kubectl(t.Context(), nil, "delete", "namespace", namespace, "--wait=false")
		w.must(err)
		w.await("no placeholder outlives its WarmPool", 60*time.Second, func() bool {
			return len(w.pods(warmNamespace, "headstart.dev/role=placeholder")) == 0
		})
		w.quiet("nothing left to warm", 10*time.Second)
	})
}
