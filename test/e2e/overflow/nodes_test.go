package overflow

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// How long a node takes to come up, and after how long without a pod it is removed.
const (
	nodeComesUp = 4 * time.Second
	nodeIsEmpty = 4 * time.Second
)

// nodePool is a small node autoscaler for the pods that select one pool: one node of one GPU at
// least, and one for each pod that waits for one. Like real ones, it makes no node for a pod that
// waits for preempted pods to end. Its nodes have the image from the start.
type nodePool struct {
	*controlplane.ControlPlane
	name  string
	made  int
	due   []time.Time          // when nodes come up
	empty map[string]time.Time // since when, by node
	paid  atomic.Int64         // nanoseconds: the sum over the nodes of the time that they were there
}

func newNodePool(c *controlplane.ControlPlane, name string) *nodePool {
	return &nodePool{ControlPlane: c, name: name, empty: map[string]time.Time{}}
}

// hours returns the node-hours so far.
func (p *nodePool) hours() float64 { return time.Duration(p.paid.Load()).Hours() }

// runNodePools runs node pools until ctx ends.
func runNodePools(ctx context.Context, c *controlplane.ControlPlane, pools ...*nodePool) {
	for last := time.Now(); ctx.Err() == nil; {
		now := time.Now()
		pods, err := c.Client.CoreV1().Pods("").List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		nodes, err2 := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err == nil && err2 == nil {
			for _, p := range pools {
				p.reconcile(ctx, now, now.Sub(last), pods.Items, nodes.Items)
			}
			last = now
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// reconcile makes and removes nodes. What fails is tried again.
func (p *nodePool) reconcile(
	ctx context.Context, now time.Time, elapsed time.Duration, pods []corev1.Pod, nodes []corev1.Node,
) {
	own := map[string]bool{} // the nodes of the pool: whether they are used
	for _, n := range nodes {
		if n.Labels["pool"] == p.name {
			own[n.Name] = false
		}
	}
	p.paid.Add(int64(len(own)) * int64(elapsed))
	waiting := 0
	for _, pod := range pods {
		if pod.Spec.NodeSelector["pool"] != p.name {
			continue
		}
		at := pod.Spec.NodeName
		if at == "" {
			at = pod.Status.NominatedNodeName
		}
		if _, there := own[at]; there {
			own[at] = true
		} else if pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil {
			waiting++
		}
	}
	free := 0
	for _, used := range own {
		if !used {
			free++
		}
	}
	if p.made == 0 {
		p.due = append(p.due, now)
		waiting++
	}
	for range waiting - free - len(p.due) {
		p.due = append(p.due, now.Add(nodeComesUp))
	}
	p.due = p.due[:min(len(p.due), max(0, waiting-free))]
	for len(p.due) > 0 && !p.due[0].After(now) && p.make(ctx) == nil {
		p.due = p.due[1:]
	}
	for name, used := range own {
		if used || free <= waiting || len(own) <= 1 {
			delete(p.empty, name)
			continue
		}
		if since, ok := p.empty[name]; !ok {
			p.empty[name] = now
		} else if now.Sub(since) >= nodeIsEmpty {
			err := p.Client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
			if err == nil || apierrors.IsNotFound(err) {
				free--
				delete(p.empty, name)
			}
		}
	}
}

// make makes a node.
func (p *nodePool) make(ctx context.Context) error {
	p.made++
	capacity, name := controlplane.GPUNodes(1, 1).Capacity, fmt.Sprintf("%s-%d", p.name, p.made)
	_, err := p.Client.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			"pool": p.name, corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
		}},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity, Images: []corev1.ContainerImage{
			{Names: []string{harness.Image}, SizeBytes: 15e9},
		}},
	}, metav1.CreateOptions{})
	return err
}
