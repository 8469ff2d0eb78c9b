package warmer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
)

// mostPools is how many WarmPools of a namespace count, the oldest ones. Each look at one goes
// through all pods of the cluster, so somebody with thousands of WarmPools would hold up all
// others.
const mostPools = 16

// restFor is how many intervals pass between two looks at a WarmPool that does not count.
const restFor = 10

// inNamespaceOf returns the WarmPools of a WarmPool's namespace that count, and in how many
// namespaces there are WarmPools that hold nodes.
func inNamespaceOf(pool *v1alpha1.WarmPool, all []v1alpha1.WarmPool) (own []v1alpha1.WarmPool, namespaces int) {
	holding := map[string]bool{}
	for _, p := range all {
		if p.Namespace == pool.Namespace {
			own = append(own, p)
		}
		if p.Spec.Mode != v1alpha1.WarmPoolDryRun && p.Spec.Nodes.Policy != v1alpha1.WarmNodesOff {
			holding[p.Namespace] = true
		}
	}
	return thatCount(own), len(holding)
}

// thatCount returns the WarmPools of a namespace that count. It changes the order.
func thatCount(pools []v1alpha1.WarmPool) []v1alpha1.WarmPool {
	slices.SortFunc(pools, func(a, b v1alpha1.WarmPool) int { return compareAge(&a, &b) })
	return pools[:min(len(pools), mostPools)]
}

func compareAge(a, b *v1alpha1.WarmPool) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// counts reports whether a WarmPool is one of those that count. Where that is not known it is: the
// look lists WarmPools again, and reports the error.
func (r *Reconciler) counts(ctx context.Context, pool *v1alpha1.WarmPool) bool {
	var all v1alpha1.WarmPoolList
	err := r.opts.Client.List(ctx, &all, client.InNamespace(pool.Namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return true
	}
	older := 0
	for i := range all.Items {
		if compareAge(&all.Items[i], pool) < 0 {
			older++
		}
	}
	return older < mostPools
}

// rest has a WarmPool that does not count hold nothing, and says why. It costs next to nothing once
// nothing is held.
func (r *Reconciler) rest(
	ctx context.Context, pool *v1alpha1.WarmPool, selector labels.Selector,
) (reconcile.Result, error) {
	key := client.ObjectKeyFromObject(pool)
	if len(pool.Status.Forecasts) > 0 || pool.Status.Placeholders > 0 {
		dry := pool.DeepCopy()
		dry.Spec.Mode = v1alpha1.WarmPoolDryRun
		st := r.stateOf(dry)
		o, err := r.observe(ctx, dry, selector, st)
		if err != nil {
			return reconcile.Result{}, err
		}
		d := r.decide(o, st)
		outcomes, rest := r.newApplier(o, d, st).apply(ctx)
		if err := newReport(o, d, outcomes, rest, st.errors).err; err != nil {
			return reconcile.Result{}, err
		}
	}
	r.metrics.forget(key)
	delete(r.pools, key)
	status := pool.Status.DeepCopy()
	status.Forecasts, status.Placeholders, status.Shared = nil, 0, nil
	status.Conditions = slices.DeleteFunc(status.Conditions, func(c metav1.Condition) bool {
		return c.Type != v1alpha1.ConditionReady
	})
	message := fmt.Sprintf("the namespace has more than %d WarmPools, and this is not one of the oldest: it holds "+
		"nothing; delete some: one can select many Forecasts", mostPools)
	return reconcile.Result{RequeueAfter: restFor * r.opts.Interval},
		r.writeNotReady(ctx, pool, status, reasonTooMany, message)
}
