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

// A WarmUp is how long the phases of a pod's start take, for the annotations of a pod template. Both are exact to the second, in
// which Kubernetes writes times.
type WarmUp struct {
	// Create is from bound to a node to container created: the image is pulled.
	Create time.Duration
	// Load is from container created to Ready: weights are loaded and the model is warmed up.
	Load time.Duration
	// Spread is how much longer, at most, each of the two may take; every value up to it is as likely.
	Spread time.Duration
}

// Annotations for the pods, which the stages of kwok read.
func (w WarmUp) Annotations() map[string]string {
	return map[string]string{
		"pod-create.stage.kwok.x-k8s.io/delay":        w.Create.String(),
		"pod-create.stage.kwok.x-k8s.io/jitter-delay": (w.Create + w.Spread).String(),
		"pod-ready.stage.kwok.x-k8s.io/delay":         w.Load.String(),
		"pod-ready.stage.kwok.x-k8s.io/jitter-delay":  (w.Load + w.Spread).String(),
	}
}

// makeNodes makes the nodes and waits until all are Ready.
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
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, c.opts.ReadyWithin, true, func(ctx context.Context) (bool, error) {
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

// canTakePods is false while the node is not Ready, and until the taint of a node that was not is gone.
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
