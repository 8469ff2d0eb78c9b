package images

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// state is how a pull onto a node stands.
type state int

const (
	stateGoing  state = iota
	statePulled       // the image is there, and the node does not list it yet
	statePresent
	stateFailed
)

// stateOf returns how a pull stands. The image is there once the node lists it; or, on a node that
// lists no more than its largest fifty, once a container was created from it. What the container
// does then does not matter: the image may have no command that does nothing.
func stateOf(n *corev1.Node, p *corev1.Pod, t *allocate.Target, now time.Time) state {
	if t.Known.ListedOn(n) {
		return statePresent
	}
	if p == nil {
		return stateGoing
	}
	switch why, _ := failureOf(p, t.Admitted, now); {
	case pullsAnother(p, t.Admitted):
		return stateFailed
	case isPulled(p) && len(n.Status.Images) >= mostListed:
		return statePresent
	case isPulled(p):
		return statePulled
	case why != "":
		return stateFailed
	}
	return stateGoing
}

// isPulled reports whether the kubelet has created a container, for which it needs the image.
func isPulled(p *corev1.Pod) bool {
	c := kube.PullStatus(p)
	if w := c.State.Waiting; w != nil {
		switch w.Reason {
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff":
			return true
		}
		return false
	}
	return c.ImageID != ""
}

// pullsAnother reports whether a pod pulls another image than replicas get, because admission
// changed it.
func pullsAnother(p *corev1.Pod, image string) bool {
	got := kube.ImageIn(p, names.PullContainer)
	return got != "" && got != image
}

// failureOf returns why a pull of an image does not proceed, and whether the node is not at fault.
// why is empty while it proceeds.
func failureOf(p *corev1.Pod, image string, now time.Time) (why string, ofImage bool) {
	if pullsAnother(p, image) {
		return fmt.Sprintf("admission has the pod that is to pull it pull %s instead, and replicas not",
			kube.ImageIn(p, names.PullContainer)), true
	}
	if p.Spec.NodeName == "" && allocate.IsAlive(p) && now.Sub(p.CreationTimestamp.Time) >= firstRetry {
		return "the pod that is to pull it finds no place there", false
	}
	if w := kube.PullStatus(p).State.Waiting; w != nil {
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable",
			"SignatureValidationFailed", "ImageInspectError":
			return w.Reason, true
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return cmp.Or(p.Status.Reason, "Failed"), p.Status.Reason == "DeadlineExceeded"
	}
	return "", false
}
