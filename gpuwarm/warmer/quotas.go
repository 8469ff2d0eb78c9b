package warmer

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

// sharedQuotas are the quotas of the namespace of the placeholders, as they were read last. They
// are the same for all WarmPools, so they are read once per interval.
type sharedQuotas struct {
	until time.Time
	items []corev1.ResourceQuota
	err   error
}

// observeSharedQuotas reads the quotas of the namespace of the placeholders. Where they cannot be
// read the API server still enforces them, but nobody shares them fairly.
func (r *Reconciler) observeSharedQuotas(ctx context.Context, o *observation) {
	if !o.Now.Before(r.shared.until) {
		var list corev1.ResourceQuotaList
		err := r.opts.Live.List(ctx, &list, client.InNamespace(r.opts.Namespace))
		until := o.Now.Add(r.opts.Interval)
		switch {
		case kube.IsDenied(err):
			err = kube.Advise(err, "grant list on resourcequotas in namespace "+r.opts.Namespace+
				", as the Role headstart-warm does in manifests/components/warm")
		case err != nil:
			until = o.Now // it may be over at the next look
		}
		r.shared = sharedQuotas{until, list.Items, err}
	}
	o.SharedQuotas = r.shared.items
	if o.quotasErr == nil {
		o.quotasErr = r.shared.err
	}
}
