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

// quietSince is the same for a span that is over.
func (w *warmWorld) quietSince(what string, begin time.Time) {
	w.t.Helper()
	all := w.proxy.since(begin)
	for span := time.Since(begin); span > 0; span -= time.Minute {
		minutes := min(span, time.Minute).Minutes()
		if minutes < 0.1 {
			break // the seconds that are left over
		}
		reads, writes := 0, 0
		for _, a := range all {
			switch {
			case !a.counted() || a.at.Before(begin) || a.at.After(begin.Add(time.Minute)):
			case a.writes():
				writes++
			default:
				reads++
			}
		}
		w.t.Logf("%s: %.0f reads and %.0f writes a minute", what, float64(reads)/minutes, float64(writes)/minutes)
		if float64(reads) > readsPerMinute*minutes || float64(writes) > writesPerMinute*minutes {
			w.t.Errorf("%s: %d reads and %d writes in %s, want at most %d and %d a minute", what, reads, writes, min(span, time.Minute), readsPerMinute, writesPerMinute)
		}
		begin = begin.Add(time.Minute)
	}
}

// Faults that last: each is told by a condition, costs no more requests than no fault, leaks nothing, and is got over once it is mended.
func TestWarmFaults(t *testing.T) {
	w := newWarmWorld(t, warmOptions{nodes: 6, interval: faultInterval, stages: pullsFail})
	w.spec(`{"images":{"parallelism":2}}`)
	w.plan(time.Now(), repeat(6, 20*time.Minute))

	t.Run("ImageDoesNotExist", func(t *testing.T) {
		w := w.in(t)
		// Two pull at a time. Those that fail keep no other node from it.
		tried, most := map[string]bool{}, 0
		w.await("pulls were tried on other nodes than the first two", 60*time.Second, func() bool {
			pods := w.pods(namespace, "headstart.dev/role=image-pull")
			most = max(most, len(pods))
			for _, p := range pods {
				if p.Spec.NodeName != "" {
					tried[p.Spec.NodeName] = true
				}
			}
			return len(tried) >= 4
		})
		w.await("six placeholders on six nodes", 60*time.Second, func() bool { _, bound := w.placeholders(); return bound == 6 })
		w.await("the failing pull is told", 60*time.Second, func() bool { return w.status().reason("ImagesWarm") == "False PullFails" })
		w.quiet("an image that does not exist", 60*time.Second)
		if most > 2 {
			t.Errorf("%d pods pull, parallelism is 2", most)
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
		w.await("what was missed is made up for", 90*time.Second, func() bool {
			all, _ := w.placeholders()
			return all == 3 && w.status().Forecasts[0].Hold == 3 && w.status().reason("Ready") == "True AsPlanned"
		})
		t.Logf("made up for after %s", time.Since(begin).Round(time.Second))
		w.plan(time.Now(), repeat(6, 20*time.Minute))
		w.await("and goes on", 60*time.Second, func() bool { all, _ := w.placeholders(); return all == 6 })
		time.Sleep(10 * time.Second)
		w.quietSince("an API server that takes writes again", begin)
		if all, _ := w.placeholders(); all != 6 {
			t.Errorf("%d placeholders, want 6", all)
		}
	})

	t.Run("RightsMissing", func(t *testing.T) {
		w := w.in(t)
		w.kube("delete", "rolebinding", "headstart-warm")
		w.await("it is told", 30*time.Second, func() bool { return w.status().reason("Ready") == "False Denied" })
		w.quiet("rights that are missing", 10*time.Second)
		w.apply(rightsHere)
		w.await("Ready with the rights", 30*time.Second, func() bool { return w.status().reason("Ready") == "True AsPlanned" })
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
