package controlplane

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

//go:embed stages.yaml
var defaultStages []byte

// A WarmUp says how long the phases of a pod's start take, for the annotations of a pod template.
// Both phases are exact to the second, in which Kubernetes writes times.
type WarmUp struct {
	// Create is the time from bound to a node to containers created: the image is pulled.
	Create time.Duration
	// Load is the time from containers created to Ready: weights are loaded and the model is warmed
	// up.
	Load time.Duration
	// Spread is added to each phase at random, uniformly from 0 to this.
	Spread time.Duration
}

// Annotations of the pods, which kwok's stages read.
func (w WarmUp) Annotations() map[string]string {
	return map[string]string{
		"pod-create.stage.kwok.x-k8s.io/delay":        w.Create.String(),
		"pod-create.stage.kwok.x-k8s.io/jitter-delay": (w.Create + w.Spread).String(),
		"pod-ready.stage.kwok.x-k8s.io/delay":         w.Load.String(),
		"pod-ready.stage.kwok.x-k8s.io/jitter-delay":  (w.Load + w.Spread).String(),
	}
}

// makeNodes creates the nodes and waits until all are Ready.
func (c *ControlPlane) makeNodes(ctx context.Context) error {
	want := 0
	for _, pool := range c.opts.Nodes {
		for i := range pool.Count {
			node := &corev1.Node{
				ObjectMeta: metav1.ObjectMeta{
					Name: fmt.Sprintf("%s-%d", pool.Name, i),
					Labels: map[string]string{
						"pool": pool.Name, corev1.LabelHostname: fmt.Sprintf("%s-%d", pool.Name, i), corev1.LabelOSStable: "linux",
						corev1.LabelArchStable: "amd64",
					},
				},
				Status: corev1.NodeStatus{Capacity: pool.Capacity, Allocatable: pool.Capacity},
			}
			if _, err := c.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("make node %s: %w", node.Name, err)
			}
			want++
		}
	}
	ready := 0
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, c.opts.ReadyWithin, true,
		func(ctx context.Context) (bool, error) {
			nodes, err := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			ready = 0
			for i := range nodes.Items {
				if canTakePods(&nodes.Items[i]) {
					ready++
				}
			}
			return ready >= want, c.Failed()
		})
	if err != nil {
		return fmt.Errorf("%d of %d nodes are Ready: %w", ready, want, err)
	}
	return nil
}

// canTakePods reports whether a node is Ready and has no taint. A new node keeps the taint of a
// node that is not ready for a moment.
func canTakePods(n *corev1.Node) bool {
	if len(n.Spec.Taints) > 0 {
		return false
	}
	for _, cond := range n.Status.Conditions {
		if cond.Type == corev1.NodeReady {
			return cond.Status == corev1.ConditionTrue
		}
	}
	return false
}
