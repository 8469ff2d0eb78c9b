package nodes

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

const (
	// DefaultProvisioningClass brings up all nodes or none, and keeps them for ten minutes.
	DefaultProvisioningClass = "best-effort-atomic-scale-up.autoscaling.x-k8s.io"
	// retryRequest is how long after a failed request the next one is made.
	retryRequest = 10 * time.Minute
)

// requests hold nodes by ProvisioningRequests.
type requests struct {
	client kube.Client
	clock  clock.PassiveClock
}

// Release deletes the request.
func (m *requests) Release(ctx context.Context, h Hold) error {
	return m.client.Deleter.Object(ctx, h.Objects.Request)
}

// Ensure asks for the nodes of so many replicas, all of them or none. A request cannot be changed.
// A larger one replaces one that is too small. One that is larger than what is still wanted stays,
// for its pods are on their way. With nothing wanted there is none.
func (m *requests) Ensure(ctx context.Context, h Hold) (Result, error) {
	if h.Replicas == 0 {
		return Result{}, errors.Join(m.Release(ctx, h), m.client.Deleter.Object(ctx, h.Objects.Template))
	}
	if have := h.Objects.Request; have != nil {
		problem, over := m.assess(have, h.Replicas)
		out := Result{Problem: problem, Reason: ReasonNotProvisioned}
		if over {
			return out, m.Release(ctx, h) // the next look makes the next one
		}
		return out, nil
	}
	if err := ensureTemplate(ctx, m.client, h); err != nil {
		return Result{}, err
	}
	name := names.Object(h.Pool.Namespace, h.Pool.Name, h.Forecast)
	u := kube.NewObject(kube.ProvisioningRequest, h.Pool.Namespace, name)
	class := h.Pool.Spec.Nodes.ProvisioningClass
	if class == "" {
		class = DefaultProvisioningClass
	}
	u.Object["spec"] = map[string]any{
		"provisioningClassName": class,
		"podSets": []any{map[string]any{
			"count": int64(h.Replicas), "podTemplateRef": map[string]any{"name": name},
		}},
	}
	if err := m.client.Own(h.Pool, h.Forecast, u); err != nil {
		return Result{}, err
	}
	return Result{}, m.client.Create(ctx, u)
}

// assess returns what is wrong with a request, and whether another one is to replace it.
func (m *requests) assess(have *unstructured.Unstructured, want int) (problem string, over bool) {
	is := conditionsOf(have, metav1.ConditionTrue)
	if why, failed := is["Failed"]; failed {
		problem = fmt.Sprintf("ProvisioningRequest %s/%s failed: %s: it is tried again every ten minutes",
			have.GetNamespace(), have.GetName(), why)
		return problem, m.clock.Since(have.GetCreationTimestamp().Time) >= retryRequest
	}
	_, expired := is["BookingExpired"]
	_, revoked := is["CapacityRevoked"]
	return "", expired || revoked || PodCount(have) < want
}

// PodCount returns for how many pods a request asks.
func PodCount(request *unstructured.Unstructured) int {
	sets, _, _ := unstructured.NestedSlice(request.Object, "spec", "podSets")
	if len(sets) == 0 {
		return 0
	}
	set, _ := sets[0].(map[string]any)
	n, _, _ := unstructured.NestedInt64(set, "count")
	return int(n)
}

// Replicas returns for how many replicas a buffer or a request asks.
func (o Objects) Replicas() int {
	n := 0
	if o.Buffer != nil {
		n += max(0, replicasOf(o.Buffer))
	}
	if o.Request != nil {
		n += PodCount(o.Request)
	}
	return n
}
