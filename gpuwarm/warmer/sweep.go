package warmer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// releasePool deletes all placeholders of a WarmPool that is gone. The garbage collector deletes
// what the WarmPool owned in its own namespace.
func (r *Reconciler) releasePool(ctx context.Context, pool types.NamespacedName) error {
	pods, err := r.placeholders(ctx)
	if err != nil {
		return err
	}
	return r.deleter.Pods(ctx, slices.DeleteFunc(pods, func(p corev1.Pod) bool { return poolOf(&p) != pool }))
}

// placeholders returns all placeholders: pods with their label in the namespace where Headstart
// alone writes.
func (r *Reconciler) placeholders(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	labels := client.MatchingLabels{names.LabelRole: names.RolePlaceholder}
	if err := r.opts.Client.List(ctx, &pods, client.InNamespace(r.opts.Namespace), labels); err != nil {
		return nil, fmt.Errorf("list placeholders: %w", err)
	}
	return pods.Items, nil
}

// poolOf returns the WarmPool of a placeholder by its annotation: also of one that an earlier
// release made, whose labels have other hashes.
func poolOf(p *corev1.Pod) types.NamespacedName {
	of, _ := names.OwnerIn(p.Annotations)
	return types.NamespacedName{Namespace: of.Namespace, Name: of.Pool}
}

// Sweep deletes placeholders whose WarmPool was deleted while nobody reconciled.
func (r *Reconciler) Sweep(ctx context.Context) error {
	var pools v1alpha1.WarmPoolList
	pods, err := r.placeholders(ctx)
	if err := errors.Join(r.opts.Client.List(ctx, &pools), err); err != nil {
		return fmt.Errorf("look for placeholders without a WarmPool: %w", err)
	}
	known := map[types.NamespacedName]bool{}
	for _, p := range pools.Items {
		known[client.ObjectKeyFromObject(&p)] = true
	}
	return r.deleter.Pods(ctx, slices.DeleteFunc(pods, func(p corev1.Pod) bool {
		return known[poolOf(&p)] || p.DeletionTimestamp != nil
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
