package kube

import (
	"cmp"
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// ImageIn returns the image that a container of a pod was admitted with; empty where there is no
// such container.
func ImageIn(p *corev1.Pod, container string) string {
	if p != nil {
		for _, c := range p.Spec.Containers {
			if c.Name == container {
				return c.Image
			}
		}
	}
	return ""
}

// PullStatus returns the status of the container that pulls; empty where there is none yet.
func PullStatus(p *corev1.Pod) corev1.ContainerStatus {
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == names.PullContainer {
			return c
		}
	}
	return corev1.ContainerStatus{}
}

// Explain returns what the kubelet or the scheduler says about a pod that fails, and whether the
// pod is gone. Caches leave these texts out: they are long, and those of most pods are never read.
func Explain(ctx context.Context, live client.Reader, p *corev1.Pod) (text string, gone bool) {
	const longest = 200
	var now corev1.Pod
	if err := live.Get(ctx, client.ObjectKeyFromObject(p), &now); err != nil {
		return "", apierrors.IsNotFound(err)
	}
	text = now.Status.Message
	if w := PullStatus(&now).State.Waiting; w != nil {
		text = cmp.Or(text, w.Message)
	}
	for _, c := range now.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			text = cmp.Or(text, c.Message)
		}
	}
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text, now.UID != p.UID
}
