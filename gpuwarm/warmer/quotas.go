package warmer

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

// tenantQuotasAge is for how many intervals the quotas of a tenant's namespace are used before they
// are read again. They only say what replicas will find; the API server enforces them. A watch
// would need more rights, in each namespace.
const tenantQuotasAge = 4

// quotaRead is the quotas of a namespace, as they were read last.
type quotaRead struct {
	until time.Time
	items []corev1.ResourceQuota
	err   error
}

// observeQuotas reads the quotas of the pool's namespace, and of that of the placeholders. Where
// they cannot be read the API server still enforces them, but nobody shares them fairly.
func (r *Reconciler) observeQuotas(ctx context.Context, o *observation) {
	maps.DeleteFunc(r.quotas, func(_ string, q quotaRead) bool { return !o.Now.Before(q.until) })
	shared := r.quotasOf(ctx, o.Now, o.Namespace, r.opts.Interval)
	own := shared
	if o.Pool.Namespace != o.Namespace {
		own = r.quotasOf(ctx, o.Now, o.Pool.Namespace, tenantQuotasAge*r.opts.Interval)
	}
	o.Quotas, o.quotasErr, o.SharedQuotas = own.items, own.err, shared.items
	if o.quotasErr == nil && shared.err != nil {
		o.quotasErr = shared.err
		if kube.IsDenied(shared.err) {
			o.quotasErr = kube.Advise(shared.err, "grant list on resourcequotas in namespace "+o.Namespace+
				", as the Role headstart-warm does in manifests/components/warm")
		}
	}
}

// quotasOf returns the quotas of a namespace, which all of its WarmPools share for some time. After
// an error that may be over soon they are read at the next look.
func (r *Reconciler) quotasOf(
	ctx context.Context, now time.Time, namespace string, age time.Duration,
) quotaRead {
	if q, ok := r.quotas[namespace]; ok {
		return q
	}
	var list corev1.ResourceQuotaList
	err := r.opts.Live.List(ctx, &list, client.InNamespace(namespace))
	q := quotaRead{now.Add(age), list.Items, err}
	if err == nil || kube.IsDenied(err) {
		r.quotas[namespace] = q
	}
	return q
}
