package warm

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	const others = notDeleted + `    - {key: '` + podPulls + `', operator: NotIn, values: ['` + pullOf + imageMissing +
		`', '` + pullOf + imageStuck + `']}` + "\n"
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

// simulateKubelets simulates the kubelets until the test ends: a node lists an image after a pod
// has pulled it.
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
				_, _ = w.Client.CoreV1().Nodes().Patch(ctx, p.Spec.NodeName, types.MergePatchType, []byte(patch),
					metav1.PatchOptions{}, "status") // the next round tries again
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
		if pods, err := w.Client.CoreV1().Pods(namespace).List(ctx,
			metav1.ListOptions{LabelSelector: pullsInFlight}); err == nil {
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
