package warm

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/test/controlplane"
)

// How long the slow parts take. The WarmPool's leads are 9 s longer, for everything that cannot be
// shortened here: the warmer's interval, the scheduler, which retries a pod that did not fit after
// one, two and four seconds, the taint of a new node until it is Ready, and plan steps of two
// seconds.
const (
	nodeComesUp   = 4 * time.Second
	imageIsPulled = 3 * time.Second
	nodeIsEmpty   = 4 * time.Second // then it is removed
)

// provisioner is a small node autoscaler, and the part of the kubelet that kwok does not have. It
// creates a node for each pod that waits for one, removes empty nodes, and lets a node list an image
// a while after a pod with that image was bound to it.
//
// Like real autoscalers it creates no node for a pod that waits for preempted pods to end, nor for
// pods that got a node meanwhile, and it keeps the nodes that pods are nominated for.
type provisioner struct {
	*warmWorld
	ctx   context.Context
	made  int
	spare int                  // free nodes that no pod waits for
	due   []time.Time          // when nodes become available
	empty map[string]time.Time // since when, by node
	pulls map[string]time.Time // since when, by node
	ended sync.WaitGroup

	mu  sync.Mutex
	err error
}

func provision(w *warmWorld) (stop func() error) {
	ctx, cancel := context.WithCancel(w.t.Context())
	p := &provisioner{warmWorld: w, ctx: ctx, empty: map[string]time.Time{}, pulls: map[string]time.Time{}}
	p.ended.Go(func() {
		for ctx.Err() == nil {
			if err := p.reconcile(time.Now()); err != nil && ctx.Err() == nil {
				p.mu.Lock()
				p.err = err
				p.mu.Unlock()
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	return func() error {
		cancel()
		p.ended.Wait()
		return p.err
	}
}

func (p *provisioner) reconcile(now time.Time) error {
	pods, err := p.Client.CoreV1().Pods("").List(p.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	nodes, err := p.Client.CoreV1().Nodes().List(p.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	waiting, used, image, there := 0, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, n := range nodes.Items {
		there[n.Name] = true
	}
	for _, pod := range pods.Items {
		_, gpu := pod.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"]
		switch {
		case pod.Spec.NodeName == "" && gpu && pod.DeletionTimestamp == nil:
			if nominated := pod.Status.NominatedNodeName; there[nominated] {
				used[nominated] = true
			} else {
				waiting++ // also if the node that it was nominated for is gone
			}
		case pod.Spec.NodeName != "":
			used[pod.Spec.NodeName] = used[pod.Spec.NodeName] || gpu
			image[pod.Spec.NodeName] = image[pod.Spec.NodeName] || pod.Spec.Containers[0].Image == warmImage
		}
	}
	free := 0 // nodes that the scheduler has not used yet
	for _, n := range nodes.Items {
		if !used[n.Name] {
			free++
		}
	}
	for range waiting - free - len(p.due) {
		p.due = append(p.due, now.Add(nodeComesUp))
	}
	p.due = p.due[:min(len(p.due), max(0, waiting-free))]
	for len(p.due) > 0 && !p.due[0].After(now) {
		p.due = p.due[1:]
		if err := p.makeNode(); err != nil {
			return err
		}
	}
	p.spare = free - waiting
	for i := range nodes.Items {
		if err := p.updateNode(&nodes.Items[i], now, used, image); err != nil {
			return err
		}
	}
	return nil
}

func (p *provisioner) makeNode() error {
	p.made++
	capacity := controlplane.GPUNodes(1, 1).Capacity
	_, err := p.Client.CoreV1().Nodes().Create(p.ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("on-demand-", p.made)},
		Status:     corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
	}, metav1.CreateOptions{})
	return err
}

// updateNode lets a node list the image, or removes the node.
func (p *provisioner) updateNode(n *corev1.Node, now time.Time, used, image map[string]bool) error {
	if since, ok := p.pulls[n.Name]; image[n.Name] && !ok {
		p.pulls[n.Name] = now
	} else if ok && len(n.Status.Images) == 0 && now.Sub(since) >= imageIsPulled {
		patch := fmt.Sprintf(`{"status":{"images":[{"names":[%q],"sizeBytes":20000000000}]}}`, warmImage)
		_, err := p.Client.CoreV1().Nodes().Patch(p.ctx, n.Name, types.StrategicMergePatchType, []byte(patch),
			metav1.PatchOptions{}, "status")
		return err
	}
	if used[n.Name] || p.spare <= 0 || now.Sub(n.CreationTimestamp.Time) < 2*nodeIsEmpty {
		delete(p.empty, n.Name)
		return nil
	}
	if since, ok := p.empty[n.Name]; !ok {
		p.empty[n.Name] = now
	} else if now.Sub(since) >= nodeIsEmpty {
		p.spare--
		err := p.Client.CoreV1().Nodes().Delete(p.ctx, n.Name, metav1.DeleteOptions{})
		if !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// logUnbound logs why pods have no node yet, to explain a failure.
func (w *warmWorld) logUnbound() {
	w.t.Helper()
	pods, err := w.Client.CoreV1().Pods("").List(context.Background(), metav1.ListOptions{})
	w.must(err)
	for _, p := range pods.Items {
		if p.Spec.NodeName == "" {
			w.t.Logf("%s/%s of %s, nominated for %q, waits: %+v", p.Namespace, p.Name, p.CreationTimestamp.Format(time.TimeOnly),
				p.Status.NominatedNodeName, p.Status.Conditions)
		}
	}
}

// On a predictable trace, with nodes that are created on demand, pods that were scaled ahead start
// on nodes that have their image, and little capacity is held in vain. Both are counted from the
// API server's objects.
func TestWarmHits(t *testing.T) {
	w := newWarmWorld(t, warmOptions{})
	stop := provision(w)
	const base, peak = 12, 16
	trace := append(repeat(base, 44*time.Second), repeat(peak, 50*time.Second)...)
	trace = append(trace, append(repeat(base, 40*time.Second), repeat(peak, 50*time.Second)...)...)
	w.scale(base)
	w.await("the base replicas run", func() bool {
		bound := 0
		for _, p := range w.pods(namespace, warmServiceKey) {
			if p.Spec.NodeName != "" {
				bound++
			}
		}
		return bound == base
	})
	begin := time.Now().Truncate(time.Second)
	w.plan(begin, append(trace, repeat(base, time.Minute)...))

	hit, serving, holding, last := map[string]bool{}, time.Duration(0), time.Duration(0), time.Now()
	first := map[string]bool{}
	for _, p := range w.pods(namespace, warmServiceKey) {
		first[p.Name] = true // the replicas at the start were not scaled ahead
	}
	scaled := base
	defer func() {
		if t.Failed() {
			w.logUnbound()
		}
	}()
	for {
		now := time.Now()
		i := int(now.Sub(begin) / warmPlanStep)
		if i >= len(trace) {
			break
		}
		if want := trace[i]; want != scaled {
			if want < scaled {
				w.logUnbound()
			}
			w.scale(want)
			scaled = want
		}
		replicas := w.pods(namespace, warmServiceKey)
		_, held := w.placeholders()
		elapsed := now.Sub(last)
		last = now
		holding += time.Duration(held) * elapsed
		for _, p := range replicas {
			if p.Spec.NodeName == "" || p.DeletionTimestamp != nil {
				continue
			}
			serving += elapsed
			if _, known := hit[p.Name]; !known && !first[p.Name] {
				n, err := w.Client.CoreV1().Nodes().Get(t.Context(), p.Spec.NodeName, metav1.GetOptions{})
				w.must(err)
				hit[p.Name] = len(n.Status.Images) > 0
				if !hit[p.Name] {
					t.Logf("%s after the begin %s landed on %s, which is %s old and has no image", now.Sub(begin).Round(time.Second),
						p.Name, n.Name,
						now.Sub(n.CreationTimestamp.Time).Round(time.Second))
				}
			}
		}
		w.must(w.Failed())
		time.Sleep(100 * time.Millisecond)
	}
	w.must(stop())
	hits := 0
	for _, ok := range hit {
		if ok {
			hits++
		}
	}
	share, held := float64(hits)/float64(max(1, len(hit))), holding.Seconds()/serving.Seconds()
	t.Logf("%d of %d pods that were scaled ahead landed where the image was (%.0f %%)", hits, len(hit), 100*share)
	t.Logf("GPUs were held for %.1f %% of the time that they served (%s of %s)",
		100*held, holding.Round(time.Second), serving.Round(time.Second))
	if len(hit) < 2*(peak-base) || share < 0.95 {
		t.Errorf("warm hits: %d of %d, want at least 95 %% of at least %d", hits, len(hit), 2*(peak-base))
	}
	if ours := w.metric("headstart_warm_placements_total", `node="warm"`); int(ours) != hits {
		t.Errorf("the metric counts %v warm placements, the API server's record %d", ours, hits)
	}
	if ours := w.metric("headstart_warm_held_seconds_total",
		`resource="nvidia.com/gpu"`); math.Abs(ours-holding.Seconds()) > 0.2*holding.Seconds() {
		t.Errorf("the metric counts %.0f GPU-seconds that were held, the API server's record %.0f", ours, holding.Seconds())
	}
	if held > 0.05 {
		t.Errorf("GPUs were held for %.1f %% of the time that they served, want at most 5 %%", 100*held)
	}
}
