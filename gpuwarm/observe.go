package gpuwarm

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// coldPull is how long image and container may take at most on a node that has the image. Registry checks (imagePullPolicy Always)
// and one-second timestamps stay below it; the pull of a model server's image does not.
const coldPull = 5 * time.Second

// Observe reads one start from the API's objects. node is the one that the pod is bound to, nil where it is not at hand; events are
// the pod's own, none where they have expired or are not read. Observe is pure and does not change its arguments.
//
// Times are put in order: nothing on a node happens before the pod was bound to it, so a node whose clock is behind has all its
// times moved by as much as that takes. (One whose clock is ahead is found out by the [Learner], which knows what time it is.)
func Observe(pod *corev1.Pod, node *corev1.Node, events []corev1.Event) Start {
	s := Start{
		Pod:     string(pod.UID),
		Name:    pod.Name,
		Node:    pod.Spec.NodeName,
		Created: pod.CreationTimestamp.Time,
		Ended:   endOf(pod),
		Key:     keyOf(pod, node),
		Failure: failureOf(pod),
	}
	s.Scheduled = trueSince(pod, corev1.PodScheduled)
	s.Initialized = trueSince(pod, corev1.PodInitialized)
	s.Ready = trueSince(pod, corev1.PodReady)
	s.Unready = unreadySince(pod)
	s.Restarts = restartsOf(pod)
	s.Started = startedOf(pod, s.Restarts)
	s.inOrder()
	about := eventsOf(pod, events)
	s.Pull = about.pull
	s.Path = s.pathOf(pod, node, about)
	return s
}

// inOrder moves the node's times to where they are possible.
func (s *Start) inOrder() {
	if s.Scheduled.IsZero() {
		return
	}
	s.Scheduled = later(s.Scheduled, s.Created)
	first := time.Time{}
	for _, t := range []time.Time{s.Initialized, s.Started, s.Ready} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	behind := time.Duration(0)
	if !first.IsZero() && first.Before(s.Scheduled) {
		behind = s.Scheduled.Sub(first)
	}
	at := s.Scheduled
	for _, t := range []*time.Time{&s.Initialized, &s.Started, &s.Ready} {
		if !t.IsZero() {
			*t = later(t.Add(behind), at)
			at = *t
		}
	}
}

// pathOf says what was warm, by the best evidence at hand: the node's age, the kubelet's events, the node's images while the
// container does not run yet, and at last the time between initialized and running.
func (s *Start) pathOf(pod *corev1.Pod, node *corev1.Node, about podEvents) Path {
	switch {
	case about.scaledUp && s.Scheduled.IsZero():
		return PathColdNode
	case s.Scheduled.IsZero():
		return PathUnknown
	case node != nil && cameUpFor(node, s):
		return PathColdNode
	case about.path() != PathUnknown:
		return about.path()
	case !s.Started.IsZero():
		if s.Started.Sub(later(s.Scheduled, s.Initialized)) < coldPull {
			return PathWarm
		}
		return PathColdImage
	case node != nil && s.Restarts == 0 && s.Ready.IsZero():
		return imagePath(pod, node)
	}
	return PathUnknown
}

// cameUpFor is whether the node came up between the pod's creation and its binding.
func cameUpFor(node *corev1.Node, s *Start) bool {
	up := func(t time.Time) bool {
		return t.After(s.Created) && !t.After(s.Scheduled.Add(time.Second))
	}
	if up(node.CreationTimestamp.Time) {
		return true
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			// A node that had just registered. One that was there and flapped is old.
			fresh := s.Created.Sub(node.CreationTimestamp.Time) < 15*time.Minute
			return fresh && up(c.LastTransitionTime.Time)
		}
	}
	return false
}

// listedImages is how many images a kubelet lists by default (--node-status-max-images). A shorter list is complete.
const listedImages = 50

func imagePath(pod *corev1.Pod, node *corev1.Node) Path {
	c := MainContainer(pod.Annotations, &pod.Spec)
	switch {
	case c == nil:
		return PathUnknown
	case HasImage(node, c.Image):
		return PathWarm
	case len(node.Status.Images) < listedImages:
		return PathColdImage
	}
	return PathUnknown
}

func trueSince(pod *corev1.Pod, t corev1.PodConditionType) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == t && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// settled is how long after a pod's first status the kubelet may take until the conditions that come with it are there.
const settled = 10 * time.Second

// unreadySince is when the pod lost its readiness. Conditions keep the time of their last change only: a Ready condition that is False
// since the pod's first status has never been True, one that became False later was.
func unreadySince(pod *corev1.Pod) time.Time {
	first := later(pod.CreationTimestamp.Time, later(trueSince(pod, corev1.PodScheduled), trueSince(pod, corev1.PodInitialized)))
	for _, c := range pod.Status.Conditions {
		since := c.LastTransitionTime.Time
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue && since.After(first.Add(settled)) &&
			!trueSince(pod, corev1.PodInitialized).IsZero() {
			return since
		}
	}
	return time.Time{}
}

// endOf is when the pod was asked to go, or its containers had ended.
func endOf(pod *corev1.Pod) time.Time {
	if d := pod.DeletionTimestamp; d != nil {
		grace := time.Duration(0)
		if g := pod.DeletionGracePeriodSeconds; g != nil {
			grace = time.Duration(*g) * time.Second
		}
		return later(d.Add(-grace), pod.CreationTimestamp.Time) // deletionTimestamp is when the grace is over
	}
	if pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded {
		return time.Time{}
	}
	end := pod.CreationTimestamp.Time
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Terminated != nil {
			end = later(end, c.State.Terminated.FinishedAt.Time)
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady { // evicted pods have no container states, but lose their readiness
			end = later(end, c.LastTransitionTime.Time)
		}
	}
	return end
}

func restartsOf(pod *corev1.Pod) int32 {
	n := int32(0)
	for _, c := range pod.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

func startedOf(pod *corev1.Pod, restarts int32) time.Time {
	if restarts > 0 || len(pod.Status.ContainerStatuses) == 0 {
		return time.Time{} // startedAt is that of the last restart
	}
	at := time.Time{}
	for _, c := range pod.Status.ContainerStatuses {
		switch {
		case c.State.Running != nil:
			at = later(at, c.State.Running.StartedAt.Time)
		case c.State.Terminated != nil:
			at = later(at, c.State.Terminated.StartedAt.Time)
		default:
			return time.Time{}
		}
	}
	return at
}

// hopeless are the reasons for waiting that do not pass by waiting.
var hopeless = map[string]bool{
	"CrashLoopBackOff": true, "ImagePullBackOff": true, "ErrImagePull": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true, "RegistryUnavailable": true,
	"SignatureValidationFailed": true,
}

func failureOf(pod *corev1.Pod) string {
	if pod.Status.Phase == corev1.PodFailed {
		if pod.Status.Reason != "" {
			return pod.Status.Reason
		}
		return "Failed"
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range statuses {
			if w := c.State.Waiting; w != nil && hopeless[w.Reason] {
				return w.Reason
			}
		}
	}
	return ""
}

// poolLabels name a node's pool, most specific first; the instance type says it where nothing else does.
var poolLabels = []string{
	"karpenter.sh/nodepool", "cloud.google.com/gke-nodepool", "eks.amazonaws.com/nodegroup", "alpha.eksctl.io/nodegroup-name",
	"kubernetes.azure.com/agentpool", "agentpool", "doks.digitalocean.com/node-pool", "node.kubernetes.io/instance-type",
}

// productLabels name a node's accelerator.
var productLabels = []string{
	"nvidia.com/gpu.product", "amd.com/gpu.product-name", "cloud.google.com/gke-accelerator", "karpenter.k8s.aws/instance-gpu-name",
	"cloud.google.com/gke-tpu-accelerator",
}

// PoolOf names the node's pool, or its instance type where no label names a pool; empty for nil.
func PoolOf(node *corev1.Node) string { return firstLabel(node, poolLabels) }

func firstLabel(node *corev1.Node, names []string) string {
	if node == nil {
		return ""
	}
	for _, name := range names {
		if v := node.Labels[name]; v != "" {
			return v
		}
	}
	return ""
}

func keyOf(pod *corev1.Pod, node *corev1.Node) Key {
	c := MainContainer(pod.Annotations, &pod.Spec)
	if c == nil {
		return Key{}
	}
	k := Key{Image: c.Image, Pool: PoolOf(node)}
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == c.Name && s.ImageID != "" {
			k.Image = s.ImageID[strings.LastIndex(s.ImageID, "@")+1:]
		}
	}
	if name, _ := acceleratorOf(c); name != "" {
		k.Accelerator = name
		if product := firstLabel(node, productLabels); product != "" {
			k.Accelerator = product
		}
	}
	return k
}

// defaultContainer is the annotation by which pods name the container that is meant where none is named. What injects sidecars before the
// others sets it, too.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// MainContainer is the one that makes the service: that with the most accelerators; else the default one by the annotation that kubectl goes by, or
// the first. nil where there is none.
func MainContainer(annotations map[string]string, spec *corev1.PodSpec) *corev1.Container {
	var found *corev1.Container
	most := resource.Quantity{}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		_, n := acceleratorOf(c)
		if found == nil || n.Cmp(most) > 0 || most.IsZero() && c.Name == annotations[defaultContainer] {
			found, most = c, n
		}
	}
	return found
}

// acceleratorOf is the first extended resource that the container asks for, by name; GPUs, TPUs and the like are all of that kind.
func acceleratorOf(c *corev1.Container) (string, resource.Quantity) {
	name, most := "", resource.Quantity{}
	for _, list := range []corev1.ResourceList{c.Resources.Limits, c.Resources.Requests} {
		for n, q := range list {
			extended := strings.Contains(string(n), "/") && !strings.HasPrefix(string(n), "kubernetes.io/")
			if extended && !q.IsZero() && (name == "" || string(n) < name) {
				name, most = string(n), q
			}
		}
	}
	return name, most
}

// MainImage is the image of the [MainContainer].
func MainImage(annotations map[string]string, spec *corev1.PodSpec) string {
	if c := MainContainer(annotations, spec); c != nil {
		return c.Image
	}
	return ""
}
