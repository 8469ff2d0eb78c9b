// Package rooms knows what is free on the nodes of the cluster.
package rooms

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/gpuwarm"
)

// age is how long the free capacity of the nodes is reused. Computing it needs all pods of the
// cluster, which is too much for every evaluation.
const age = 15 * time.Second

// Free caches the room of the nodes. It is safe for concurrent use.
type Free struct {
	mu   sync.Mutex
	room *gpuwarm.Room
	at   time.Time
}

// Get returns the free capacity at now. What placeholders hold is not free: only a WarmPool can say
// whether the next pod gets it.
func (f *Free) Get(ctx context.Context, c client.Reader, now time.Time) (*gpuwarm.Room, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.room != nil && now.Sub(f.at) < age {
		return f.room, nil
	}
	var pods corev1.PodList
	var nodes corev1.NodeList
	if err := c.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	if err := c.List(ctx, &pods, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	f.room, f.at = gpuwarm.NewRoom(nodes.Items, pods.Items, nil), now
	return f.room, nil
}
