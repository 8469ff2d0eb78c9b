package gpuwarm

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// coldPull is the longest time that image and container take on a node with the image. Registry
// checks (imagePullPolicy Always) and one-second timestamps stay below it. The pull of a model
// server's image does not.
const coldPull = 5 * time.Second

// Observe reads one start from API objects. node is the node of the pod, or nil when it is not
// known. events are those of the pod, or none when they have expired or are not read. Observe is
// pure and does not change its arguments.
//
// The times are corrected for a node whose clock is behind. Nothing on a node happens before the
// pod is bound to it, so all times of such a node are moved by the same amount. A clock that is
// ahead is corrected by the [Learner], which has the current time.
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
	s.orderTimes()
	about := eventsOf(pod, events)
	s.Pull = about.pull
	s.Path = s.pathOf(pod, node, about)
	return s
}

// orderTimes corrects times that are not in order.
func (s *Start) orderTimes() {
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

// pathOf is the path of a start, from the best evidence there is: first the node's age, then the
// kubelet's events, then the time between initialized and running, or the node's images while no
// container runs yet.
func (s *Start) pathOf(pod *corev1.Pod, node *corev1.Node, about podEvents) Path {
	switch {
	case about.scaledUp && s.Scheduled.IsZero():
		return PathColdNode
	case s.Scheduled.IsZero():
		return PathUnknown
	case node != nil && createdFor(node, s):
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

// createdFor reports whether the node was created or became Ready between the pod's creation and
// its binding.
func createdFor(node *corev1.Node, s *Start) bool {
	between := func(t time.Time) bool {
		return t.After(s.Created) && !t.After(s.Scheduled.Add(time.Second))
	}
	if between(node.CreationTimestamp.Time) {
		return true
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			// Only for a node that had just registered: an old one may have lost its readiness.
			fresh := s.Created.Sub(node.CreationTimestamp.Time) < 15*time.Minute
			return fresh && between(c.LastTransitionTime.Time)
		}
	}
	return false
}

// listedImages is how many images a kubelet lists by default (--node-status-max-images). A shorter
// list is complete.
const listedImages = 50

// imagePath is the path according to the node's list of images.
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

// firstStatus is how long the kubelet may take to set all conditions of a pod's first status.
const firstStatus = 10 * time.Second

// unreadySince is when the pod became unready; zero when it is Ready or never was. A condition has
// the time of its last change only. So a Ready condition that is False since the pod's first status
// was never True, and one that became False later was True before.
func unreadySince(pod *corev1.Pod) time.Time {
	scheduled, initialized := trueSince(pod, corev1.PodScheduled), trueSince(pod, corev1.PodInitialized)
	first := later(pod.CreationTimestamp.Time, later(scheduled, initialized))
	for _, c := range pod.Status.Conditions {
		since := c.LastTransitionTime.Time
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue && since.After(first.Add(firstStatus)) &&
			!initialized.IsZero() {
			return since
		}
	}
	return time.Time{}
}

// endOf is when the deletion of the pod was requested, or its containers ended; zero before.
func endOf(pod *corev1.Pod) time.Time {
	if d := pod.DeletionTimestamp; d != nil {
		grace := time.Duration(0)
		if g := pod.DeletionGracePeriodSeconds; g != nil {
			grace = time.Duration(*g) * time.Second
		}
		return later(d.Add(-grace), pod.CreationTimestamp.Time) // deletionTimestamp is the end of the grace period
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
		if c.Type == corev1.PodReady { // evicted pods have no container states, but become unready
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

// startedOf is when the last container started for the first time; zero when one was restarted or
// has not started.
func startedOf(pod *corev1.Pod, restarts int32) time.Time {
	if restarts > 0 || len(pod.Status.ContainerStatuses) == 0 {
		return time.Time{} // startedAt is the time of the last restart
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

// permanentReasons are the reasons of a waiting container that waiting does not resolve.
var permanentReasons = map[string]bool{
	"CrashLoopBackOff": true, "RunContainerError": true, "ImagePullBackOff": true, "ErrImagePull": true,
	"InvalidImageName": true, "ErrImageNeverPull": true, "CreateContainerConfigError": true,
	"CreateContainerError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
}

// failureOf is why the pod cannot become Ready; empty otherwise.
func failureOf(pod *corev1.Pod) string {
	if pod.Status.Phase == corev1.PodFailed {
		if pod.Status.Reason != "" {
			return pod.Status.Reason
		}
		return "Failed"
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && permanentReasons[w.Reason] {
			return w.Reason
		}
	}
	return ""
}

// poolLabels are the labels with the name of a node's pool. The instance type stands in for a
// missing one.
var poolLabels = []string{
	"karpenter.sh/nodepool", "cloud.google.com/gke-nodepool", "eks.amazonaws.com/nodegroup",
	"alpha.eksctl.io/nodegroup-name", "kubernetes.azure.com/agentpool", "agentpool",
	"doks.digitalocean.com/node-pool", "node.kubernetes.io/instance-type",
}

// productLabels are the labels with the model of a node's accelerator.
var productLabels = []string{
	"nvidia.com/gpu.product", "amd.com/gpu.product-name", "cloud.google.com/gke-accelerator",
	"karpenter.k8s.aws/instance-gpu-name", "cloud.google.com/gke-tpu-accelerator",
}

// PoolOf is the name of the node's pool, or its instance type when no label names a pool; empty for
// nil.
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

// defaultContainer is the annotation that names a pod's default container for kubectl. Tools that
// inject sidecars before the other containers set it, too.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// MainContainer is the container that serves: the one with the most accelerators; without any, the
// default container by kubectl's annotation, or the first one. It is nil when there is no
// container.
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

// acceleratorOf returns the first extended resource of the container by name, and how much of it.
// GPUs, TPUs and similar devices are extended resources.
func acceleratorOf(c *corev1.Container) (string, resource.Quantity) {
	name, quantity := "", resource.Quantity{}
	for _, list := range []corev1.ResourceList{c.Resources.Limits, c.Resources.Requests} {
		for n, q := range list {
			if isExtended(n) && !q.IsZero() && (name == "" || string(n) < name) {
				name, quantity = string(n), q
			}
		}
	}
	return name, quantity
}

// isExtended reports whether a resource is an extended one.
func isExtended(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.HasPrefix(string(name), "kubernetes.io/")
}

// MainImage is the image of the [MainContainer].
func MainImage(annotations map[string]string, spec *corev1.PodSpec) string {
	if c := MainContainer(annotations, spec); c != nil {
		return c.Image
	}
	return ""
}
