package warmer

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// defaultProvisioningClass brings all nodes up or none, and keeps them for ten minutes.
	defaultProvisioningClass = "best-effort-atomic-scale-up.autoscaling.x-k8s.io"
	// retryProvision is how long after a request that failed the next one is made.
	retryProvision = 10 * time.Minute
)

// request asks the cluster autoscaler for nodes for want replicas, all of them or none. A request cannot be changed, so a larger one takes the place of one that is
// too small; one that is larger than what is still wanted is left, for its pods are on their way. With nothing wanted there is none.
func (r *Reconciler) request(ctx context.Context, pool *v1alpha1.WarmPool, fc string, t *target, want int) (failure string, err error) {
	name := objectName(pool, fc)
	if want == 0 {
		return "", r.unask(ctx, pool, fc, "")
	}
	have := newObject(provisioningRequest, pool.Namespace, name)
	err = r.opts.Live.Get(ctx, client.ObjectKeyFromObject(have), have)
	if err == nil {
		failure, over := r.provisioned(have, want)
		if over {
			err = r.remove(ctx, pool, have) // the next look makes the next one
		}
		return failure, err
	}
	if !apierrors.IsNotFound(err) || absent(err) {
		return "", err
	}
	if err := r.template(ctx, pool, fc, t); err != nil {
		return "", err
	}
	u := newObject(provisioningRequest, pool.Namespace, name)
	if err := r.owned(pool, fc, u); err != nil {
		return "", err
	}
	class := pool.Spec.Nodes.ProvisioningClass
	if class == "" {
		class = defaultProvisioningClass
	}
	u.Object["spec"] = map[string]any{
		"provisioningClassName": class,
		"podSets":               []any{map[string]any{"count": int64(want), "podTemplateRef": map[string]any{"name": name}}},
	}
	return "", r.create(ctx, u)
}

// provisioned is what is wrong with a request, and whether another one is to take its place.
func (r *Reconciler) provisioned(have *unstructured.Unstructured, want int) (failure string, over bool) {
	is := conditionsOf(have, metav1.ConditionTrue)
	if why, failed := is["Failed"]; failed {
		failure = fmt.Sprintf("ProvisioningRequest %s/%s failed: %s: it is tried again every ten minutes", have.GetNamespace(), have.GetName(), why)
		return failure, r.opts.Clock.Since(have.GetCreationTimestamp().Time) >= retryProvision
	}
	_, expired := is["BookingExpired"]
	_, revoked := is["CapacityRevoked"]
	return "", expired || revoked || podsOf(have) < want
}

// unmetBy is what a CapacityBuffer says that keeps nodes from being brought up for it, for people. Its Provisioning is no word on nodes: it is True where pods were injected
// into a simulation (the cluster autoscaler), or where they fit (Karpenter).
func unmetBy(buffer *unstructured.Unstructured) string {
	name := buffer.GetNamespace() + "/" + buffer.GetName()
	if why, limited := conditionsOf(buffer, metav1.ConditionTrue)["LimitedByQuotas"]; limited {
		return fmt.Sprintf("CapacityBuffer %s is limited by quotas: %s: raise what limits it, or lower spec.limits", name, why)
	}
	if why, unready := conditionsOf(buffer, metav1.ConditionFalse)["ReadyForProvisioning"]; unready {
		return fmt.Sprintf("CapacityBuffer %s is not ready for provisioning: %s", name, why)
	}
	return ""
}

// conditionsOf are the messages of the conditions that have a status, by type.
func conditionsOf(u *unstructured.Unstructured, status metav1.ConditionStatus) map[string]string {
	out := map[string]string{}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["status"] == string(status) {
			message, _ := c["message"].(string)
			out[fmt.Sprint(c["type"])] = message
		}
	}
	return out
}

// podsOf is for how many pods a request asks.
func podsOf(u *unstructured.Unstructured) int {
	sets, _, _ := unstructured.NestedSlice(u.Object, "spec", "podSets")
	if len(sets) == 0 {
		return 0
	}
	set, _ := sets[0].(map[string]any)
	n, _, _ := unstructured.NestedInt64(set, "count")
	return int(n)
}
