package warmer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// look is what one reconciliation sees.
type look struct {
	now    time.Time
	pool   *v1alpha1.WarmPool
	pods   []corev1.Pod
	nodes  []corev1.Node
	quotas []corev1.ResourceQuota
	free   map[string]corev1.ResourceList // beside all pods but placeholders
	spare  map[string]corev1.ResourceList // beside what waits and what is held ahead, too
	used   corev1.ResourceList            // of the limits, by what is held so far
	act    bool
	last   map[string]memory // of the Forecasts
	jobs   []*job
	holds  map[targetKey]*job   // that each target is held for by
	heirs  map[types.UID]string // pods that another Forecast took over than they were made for: its hash
	unread error                // of the quotas

	forecasts []v1alpha1.Forecast // of the namespace, whoever selects them
	pools     []v1alpha1.WarmPool // likewise; where they are not known unlisted says why
	unlisted  error
	others    map[targetKey][]foreign // of other WarmPools

	ports map[v1alpha1.TargetReference]map[string]bool // by target with ports of the host, the nodes where it has them or claims them
}

// look reads what one reconciliation needs, and the Forecasts that the pool selects, by name.
func (r *Reconciler) look(ctx context.Context, pool *v1alpha1.WarmPool, selector labels.Selector) (*look, []v1alpha1.Forecast, error) {
	l := &look{now: r.opts.Clock.Now(), pool: pool, used: corev1.ResourceList{}, act: acts(pool), last: r.lastOf(pool), heirs: map[types.UID]string{}, others: map[targetKey][]foreign{}}
	var fcs v1alpha1.ForecastList
	var pools v1alpha1.WarmPoolList
	var pods corev1.PodList
	var nodes corev1.NodeList
	var quotas corev1.ResourceQuotaList
	if err := errors.Join(
		r.opts.Client.List(ctx, &fcs, client.InNamespace(pool.Namespace)),
		r.opts.Client.List(ctx, &pods, client.UnsafeDisableDeepCopy),
		r.opts.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy),
	); err != nil {
		return nil, nil, fmt.Errorf("look at the cluster: %w", err)
	}
	l.unread = r.opts.Live.List(ctx, &quotas, client.InNamespace(pool.Namespace)) // without quotas everything but what is short can be done
	if err := r.opts.Client.List(ctx, &pools, client.InNamespace(pool.Namespace)); err != nil {
		l.unlisted = fmt.Errorf("list WarmPools: %w", err)
	}
	l.pods, l.nodes, l.quotas = pods.Items, nodes.Items, quotas.Items
	l.free = gpuwarm.Free(l.nodes, l.pods, func(p *corev1.Pod) bool { return p.Labels[labelRole] != "" })
	// A cache has no order, and what is said is to be the same as long as nothing changes.
	slices.SortFunc(l.nodes, func(a, b corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(fcs.Items, func(a, b v1alpha1.Forecast) int { return cmp.Compare(a.Name, b.Name) })
	l.forecasts, l.pools = fcs.Items, pools.Items
	return l, slices.DeleteFunc(slices.Clone(fcs.Items), func(fc v1alpha1.Forecast) bool { return !selector.Matches(labels.Set(fc.Labels)) }), nil
}

// node of that name; nil where there is none.
func (l *look) node(name string) *corev1.Node {
	i, ok := slices.BinarySearchFunc(l.nodes, name, func(n corev1.Node, name string) int { return cmp.Compare(n.Name, name) })
	if !ok {
		return nil
	}
	return &l.nodes[i]
}

// mine are the pods of a role that are for one Forecast, by name: those that were made for it, and those that it took over.
func (l *look) mine(role, fc string) []corev1.Pod {
	var out []corev1.Pod
	for _, p := range l.pods {
		if p.Labels[labelRole] == role && p.Labels[labelPool] == poolHash(l.pool.Namespace, l.pool.Name) && l.heirOf(&p) == forecastHash(l.pool.Namespace, fc) {
			out = append(out, p)
		}
	}
	return inOrder(out)
}

// inOrder sorts pods by name. A cache has no order, and which of them is told of is to be the same at each look.
func inOrder(pods []corev1.Pod) []corev1.Pod {
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return pods
}
