package images

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// pods pull by pods of our own, one per node, a few at a time.
type pods struct{ o Options }

// Release deletes the pull pods.
func (m *pods) Release(ctx context.Context, p Pull) error {
	return m.o.Client.Deleter.Pods(ctx, p.Pods)
}

// Ensure creates and deletes pull pods. One that fails, or finds no place, is deleted at once, so
// that another node pulls in its stead, and is tried again later.
func (m *pods) Ensure(ctx context.Context, p Pull) (problem string, err error) {
	h, now := p.History, m.o.Clock.Now()
	h.prune(p.Nodes, now)
	byNode, stale := sortPods(p)
	states := make([]state, len(p.Nodes))
	h.present = map[string]bool{}
	for i, n := range p.Nodes {
		pod := byNode[names.Hash(n.Name)]
		if states[i] = stateOf(n, pod, p.Target, now); states[i] != statePresent {
			h.recordMissing(n, now)
			continue
		}
		h.present[n.Name] = true
		h.recordPresent(n, p.Target.Known.ListedOn(n), now)
		if pod != nil {
			h.recordSuccess(n.Name, pod.UID)
		}
	}
	active := 0
	var missing []*corev1.Node
	for i, n := range p.Nodes {
		pod, state := byNode[names.Hash(n.Name)], states[i]
		delete(byNode, names.Hash(n.Name))
		switch {
		case pod != nil && m.isOver(n, pod, p, state):
			if err := m.end(ctx, p, n.Name, pod, state); err != nil {
				return "", err
			}
		case pod == nil && state != statePresent:
			missing = append(missing, n)
		case state == stateGoing:
			active++
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byNode)) { // of nodes that the plan does not use any more
		stale = append(stale, *byNode[key])
	}
	problem = h.problem(p.Nodes)
	if err := m.o.Client.Deleter.Pods(ctx, stale); err != nil {
		return problem, err
	}
	next := h.next(missing, len(h.present) > 0, active, p.Parallel, now)
	return problem, m.create(ctx, p, next)
}

// sortPods returns the pods that pull the image, by the hash of their node, and those that are
// stale: they pull another image, or were created for another node of that name.
func sortPods(p Pull) (byNode map[string]*corev1.Pod, stale []corev1.Pod) {
	byNode = map[string]*corev1.Pod{}
	created := map[string]*metav1.Time{}
	for _, n := range p.Nodes {
		created[names.Hash(n.Name)] = &n.CreationTimestamp
	}
	image := names.Hash(p.Target.PullImage)
	for i := range p.Pods {
		pod := &p.Pods[i]
		node := pod.Labels[names.LabelNode]
		switch {
		case pod.DeletionTimestamp != nil:
		case pod.Labels[names.LabelImage] == image && !pod.CreationTimestamp.Before(created[node]):
			byNode[node] = pod
		default:
			stale = append(stale, *pod)
		}
	}
	return byNode, stale
}

// isOver reports whether a pull pod is of no more use: the node lists the image, the pull failed,
// or it ended a while ago. On a node that lists its largest images only, the pod alone shows that
// the image was pulled.
func (m *pods) isOver(n *corev1.Node, pod *corev1.Pod, p Pull, s state) bool {
	if p.Target.Known.ListedOn(n) || s == stateFailed {
		return true
	}
	kept := longestRetry
	if s == statePresent {
		kept = unlistedKept
	}
	ended := pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded ||
		pod.Status.Phase == corev1.PodFailed
	return ended && m.o.Clock.Since(pod.CreationTimestamp.Time) >= kept
}

// end deletes a pull pod that is of no more use, and records how it ended. The next look creates
// the next one.
func (m *pods) end(ctx context.Context, p Pull, node string, pod *corev1.Pod, s state) error {
	if s != stateFailed {
		return m.o.Client.Deleter.Pod(ctx, pod)
	}
	now := m.o.Clock.Now()
	why, ofImage := failureOf(pod, p.Target.Admitted, now)
	text, gone := kube.Explain(ctx, m.o.Client.Live, pod)
	if gone {
		return nil // the cache is late
	}
	if text != "" {
		why += " (" + text + ")"
	}
	if err := m.o.Client.Deleter.Pod(ctx, pod); err != nil {
		return err
	}
	p.History.recordFailure(node, why, ofImage, now)
	return nil
}

// create creates pull pods on nodes.
func (m *pods) create(ctx context.Context, p Pull, nodes []*corev1.Node) error {
	for _, n := range nodes {
		pod, err := m.build(p, n.Name)
		if err != nil {
			return err
		}
		err = m.o.Client.Client.Create(ctx, pod)
		if apierrors.IsAlreadyExists(err) {
			continue // the cache is late, and what admission made of it is not known here
		}
		if err != nil {
			return err
		}
		if got := kube.ImageIn(pod, names.PullContainer); got != p.Target.Admitted {
			return nil // the next look sees what that is, and which nodes have it already
		}
	}
	return nil
}
