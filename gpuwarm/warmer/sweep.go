package warmer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// releasePool deletes all placeholders of a WarmPool that is gone. The garbage collector deletes
// what the WarmPool owned in its own namespace.
func (r *Reconciler) releasePool(ctx context.Context, pool string) error {
	var pods corev1.PodList
	labels := client.MatchingLabels{names.LabelPool: pool}
	if err := r.opts.Client.List(ctx, &pods, client.InNamespace(r.opts.Namespace), labels); err != nil {
		return fmt.Errorf("list placeholders: %w", err)
	}
	return r.deleter.Pods(ctx, pods.Items)
}

// Sweep deletes placeholders whose WarmPool was deleted while nobody reconciled.
func (r *Reconciler) Sweep(ctx context.Context) error {
	var pools v1alpha1.WarmPoolList
	var pods corev1.PodList
	labels := client.MatchingLabels{names.LabelRole: names.RolePlaceholder}
	if err := errors.Join(
		r.opts.Client.List(ctx, &pools),
		r.opts.Client.List(ctx, &pods, client.InNamespace(r.opts.Namespace), labels),
	); err != nil {
		return fmt.Errorf("look for placeholders without a WarmPool: %w", err)
	}
	known := map[string]bool{}
	for _, p := range pools.Items {
		known[names.Pool(p.Namespace, p.Name)] = true
	}
	return r.deleter.Pods(ctx, slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
		return known[p.Labels[names.LabelPool]] || p.DeletionTimestamp != nil
	}))
}

// sweepRegularly sweeps once a minute until the context is done.
func (r *Reconciler) sweepRegularly(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := r.Sweep(ctx); err != nil {
			r.opts.Logger.Warn("placeholders were not swept", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
