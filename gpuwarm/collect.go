package gpuwarm

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Collector reads starts from a cluster. It is safe for concurrent use when its readers are.
type Collector struct {
	// Reader reads pods and nodes. It may be a cache with the transforms StripPod and StripNode.
	Reader client.Reader
	// Events reads events, preferably uncached. When it is nil, the times alone show whether an
	// image was pulled.
	Events client.Reader
	// Done reports whether the start of a pod, given by its UID, is known, so that its events are
	// not needed. With it, events are read once for each pod, after it became Ready. When it is
	// nil, they are read for every pod.
	Done func(uid string) bool
}

// Collect returns the starts of all pods in a namespace that match the selector. When a pod's node
// no longer exists, the path of its start is derived from its times and events.
func (c Collector) Collect(ctx context.Context, namespace string, selector labels.Selector) ([]Start, error) {
	var pods corev1.PodList
	// The objects of the cache are only read here, so no copies are needed.
	err := c.Reader.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the target's pods in namespace %s: %w", namespace, err)
	}
	nodes := map[string]*corev1.Node{}
	starts := make([]Start, 0, len(pods.Items))
	for i := range pods.Items {
		pod := &pods.Items[i]
		node, err := c.node(ctx, nodes, pod.Spec.NodeName)
		if err != nil {
			return nil, err
		}
		events, err := c.events(ctx, pod)
		if err != nil {
			return nil, err
		}
		starts = append(starts, Observe(pod, node, events))
	}
	return starts, nil
}

func (c Collector) node(ctx context.Context, known map[string]*corev1.Node, name string) (*corev1.Node, error) {
	if name == "" {
		return nil, nil
	}
	if n, ok := known[name]; ok {
		return n, nil
	}
	var n corev1.Node
	err := c.Reader.Get(ctx, client.ObjectKey{Name: name}, &n)
	switch {
	case apierrors.IsNotFound(err):
		known[name] = nil
	case err != nil:
		return nil, fmt.Errorf("read node %s: %w", name, err)
	default:
		known[name] = &n
	}
	return known[name], nil
}

// events returns the events of a pod whose start is not known yet. A missing permission is no
// error, because events only make the path more certain.
func (c Collector) events(ctx context.Context, pod *corev1.Pod) ([]corev1.Event, error) {
	if c.Events == nil {
		return nil, nil
	}
	if c.Done != nil && (trueSince(pod, corev1.PodReady).IsZero() || c.Done(string(pod.UID))) {
		return nil, nil
	}
	var list corev1.EventList
	err := c.Events.List(ctx, &list, client.InNamespace(pod.Namespace),
		client.MatchingFields{"involvedObject.uid": string(pod.UID)})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return list.Items, nil
}

// StripPod is a cache transform. It keeps of a pod what this package reads: names, labels,
// requests, scheduling constraints, conditions and container states. That is a tenth of a usual
// pod. A stripped object must never be written back.
func StripPod(obj any) (any, error) {
	p, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil // a tombstone of the informer
	}
	owner, owned := p.Annotations[annotationFor]
	if p.ObjectMeta = stripMeta(p.ObjectMeta); owned {
		p.Annotations = map[string]string{annotationFor: owner}
	}
	s := p.Spec
	p.Spec = corev1.PodSpec{
		NodeName:   s.NodeName,
		Containers: stripContainers(s.Containers), InitContainers: stripContainers(s.InitContainers),
		Resources: s.Resources, Overhead: s.Overhead, RuntimeClassName: s.RuntimeClassName, Priority: s.Priority,
		SchedulerName: s.SchedulerName, NodeSelector: s.NodeSelector, Tolerations: s.Tolerations,
		Affinity: stripAffinity(s.Affinity),
	}
	st := p.Status
	p.Status = corev1.PodStatus{
		Phase: st.Phase, Reason: st.Reason, Conditions: stripConditions(st.Conditions),
		ContainerStatuses:     stripStatuses(st.ContainerStatuses),
		InitContainerStatuses: stripStatuses(st.InitContainerStatuses),
	}
	return p, nil
}

// StripNode is a cache transform. It keeps of a node what this package reads: labels, taints,
// capacity, the condition Ready and the list of images. A stripped object must never be written
// back.
func StripNode(obj any) (any, error) {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return obj, nil
	}
	n.ObjectMeta = stripMeta(n.ObjectMeta)
	n.Spec = corev1.NodeSpec{Unschedulable: n.Spec.Unschedulable, Taints: n.Spec.Taints, ProviderID: n.Spec.ProviderID}
	st := n.Status
	n.Status = corev1.NodeStatus{Capacity: st.Capacity, Allocatable: st.Allocatable, Images: st.Images}
	for _, c := range st.Conditions {
		if c.Type == corev1.NodeReady {
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
				Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime,
			})
		}
	}
	return n, nil
}

// stripAffinity keeps the required node affinity.
func stripAffinity(a *corev1.Affinity) *corev1.Affinity {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
	}}
}

// annotationFor names the WarmPool of a placeholder and of a pull pod, which the warmer reads.
const annotationFor = "headstart.dev/for"

func stripMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation,
		Labels: m.Labels, CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
		DeletionGracePeriodSeconds: m.DeletionGracePeriodSeconds, OwnerReferences: m.OwnerReferences,
	}
}

func stripContainers(in []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, len(in))
	for i, c := range in {
		out[i] = corev1.Container{Name: c.Name, Image: c.Image, Resources: c.Resources, RestartPolicy: c.RestartPolicy}
	}
	return out
}

func stripConditions(in []corev1.PodCondition) []corev1.PodCondition {
	var out []corev1.PodCondition
	for _, c := range in {
		switch c.Type {
		case corev1.PodScheduled, corev1.PodInitialized, corev1.PodReady:
			out = append(out, corev1.PodCondition{
				Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime, Reason: c.Reason,
			})
		}
	}
	return out
}

func stripStatuses(in []corev1.ContainerStatus) []corev1.ContainerStatus {
	out := make([]corev1.ContainerStatus, len(in))
	for i, c := range in {
		out[i] = corev1.ContainerStatus{
			Name: c.Name, ImageID: c.ImageID, RestartCount: c.RestartCount, State: stripState(c.State),
		}
	}
	return out
}

func stripState(s corev1.ContainerState) corev1.ContainerState {
	switch {
	case s.Running != nil:
		return corev1.ContainerState{Running: s.Running}
	case s.Terminated != nil:
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			StartedAt: s.Terminated.StartedAt, FinishedAt: s.Terminated.FinishedAt,
		}}
	case s.Waiting != nil:
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: s.Waiting.Reason}}
	}
	return s
}
