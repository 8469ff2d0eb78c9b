package warmer

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// let lets go of everything that is held for a Forecast.
func (r *Reconciler) let(ctx context.Context, l *look, fc string) error {
	if _, err := r.hold(ctx, l.pool, fc, nil, l.mine(rolePlaceholder, fc), 0); err != nil {
		return err
	}
	if _, err := r.pullPods(ctx, l.pool, fc, nil, nil, l.mine(rolePull, fc)); err != nil {
		return err
	}
	return errors.Join(r.unask(ctx, l.pool, fc, ""), r.unjob(ctx, l, fc), r.unload(ctx, l, fc, ""))
}

// forsake lets go of what is held for Forecasts that are not selected any more.
func (r *Reconciler) forsake(ctx context.Context, l *look, wanted map[string]bool) error {
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[labelPool] == poolHash(l.pool.Namespace, l.pool.Name) && !wanted[p.Labels[labelForecast]] && p.DeletionTimestamp == nil {
			if err := r.drop(ctx, p); err != nil {
				return err
			}
		}
	}
	key := types.NamespacedName{Namespace: l.pool.Namespace, Name: l.pool.Name}
	for _, f := range l.pool.Status.Forecasts {
		r.serve(key, f.Name)
	}
	for fc := range r.served[key] {
		if wanted[forecastHash(key.Namespace, fc)] {
			continue
		}
		if err := r.let(ctx, l, fc); err != nil {
			return err
		}
		delete(r.served[key], fc)
	}
	return nil
}

// serve remembers that something may be made for a Forecast. The status alone would not do: it has the first 64, and is not written where a look fails,
// and a buffer that nobody remembers would hold its nodes for as long as the WarmPool is there.
func (r *Reconciler) serve(pool types.NamespacedName, fc string) {
	if r.served[pool] == nil {
		r.served[pool] = map[string]bool{}
	}
	r.served[pool][fc] = true
}

// release deletes all pods of a WarmPool that is gone. What it owns in its own namespace the garbage collector sees to.
func (r *Reconciler) release(ctx context.Context, pool string) error {
	var pods corev1.PodList
	if err := r.opts.Client.List(ctx, &pods, client.InNamespace(r.opts.Namespace), client.MatchingLabels{labelPool: pool}); err != nil {
		return fmt.Errorf("list placeholders: %w", err)
	}
	for i := range pods.Items {
		if err := r.drop(ctx, &pods.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// Sweep deletes placeholders whose WarmPool went while nobody looked.
func (r *Reconciler) Sweep(ctx context.Context) error {
	var pools v1alpha1.WarmPoolList
	var pods corev1.PodList
	if err := errors.Join(
		r.opts.Client.List(ctx, &pools),
		r.opts.Client.List(ctx, &pods, client.InNamespace(r.opts.Namespace), client.MatchingLabels{labelRole: rolePlaceholder}),
	); err != nil {
		return fmt.Errorf("look for placeholders without a WarmPool: %w", err)
	}
	known := map[string]bool{}
	for _, p := range pools.Items {
		known[poolHash(p.Namespace, p.Name)] = true
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; !known[p.Labels[labelPool]] && p.DeletionTimestamp == nil {
			if err := r.drop(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Reconciler) sweepAlways(ctx context.Context) error {
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
