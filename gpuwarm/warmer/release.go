package warmer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// let lets go of everything that is held for a Forecast.
func (r *Reconciler) let(ctx context.Context, l *look, fc string) error {
	if _, err := r.hold(ctx, l.pool, fc, nil, l.mine(rolePlaceholder, fc), 0); err != nil {
		return err
	}
	if _, err := r.pullPods(ctx, l, fc, nil, nil, l.mine(rolePull, fc)); err != nil {
		return err
	}
	return errors.Join(r.unask(ctx, l.pool, fc, ""), r.unjob(ctx, l, fc), r.unload(ctx, l, fc, ""))
}

// sweep is when what a WarmPool made was looked through, and which Forecasts it was for then.
type sweep struct {
	wanted string
	until  time.Time // when it is looked through again
}

// forsake lets go of what is held for Forecasts that are not selected any more. Labels say what that is, and not what is remembered: what an earlier process
// made, or a look that failed, would hold its nodes for as long as the WarmPool is there.
func (r *Reconciler) forsake(ctx context.Context, l *look, wanted map[string]bool) error {
	key, pool := client.ObjectKeyFromObject(l.pool), poolHash(l.pool.Namespace, l.pool.Name)
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[labelPool] == pool && !wanted[p.Labels[labelForecast]] && p.DeletionTimestamp == nil {
			if err := r.drop(ctx, p); err != nil {
				return err
			}
		}
	}
	maps.DeleteFunc(r.trials, func(k string, _ *trials) bool {
		of, fc, _ := strings.Cut(k, "/")
		return of == pool && !wanted[fc]
	})
	all := hash(slices.Sorted(maps.Keys(wanted))...)
	if s := r.swept[key]; s.wanted == all && l.now.Before(s.until) {
		return nil
	}
	if err := r.sweepObjects(ctx, l, wanted); err != nil {
		return err
	}
	r.swept[key] = sweep{all, l.now.Add(recheck)}
	return nil
}

// sweepObjects removes all that the WarmPool made beside pods for Forecasts that are not wanted.
func (r *Reconciler) sweepObjects(ctx context.Context, l *look, wanted map[string]bool) error {
	lists := []client.ObjectList{&corev1.PodTemplateList{}, &batchv1.JobList{}}
	for _, gvk := range []schema.GroupVersionKind{capacityBuffer, provisioningRequest, imagePullJob, dataLoad} {
		if r.apis.has(gvk, l.now) {
			u := &unstructured.UnstructuredList{}
			u.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
			lists = append(lists, u)
		}
	}
	for _, list := range lists {
		err := r.opts.Live.List(ctx, list, client.InNamespace(l.pool.Namespace), client.MatchingLabels{labelPool: poolHash(l.pool.Namespace, l.pool.Name)})
		if absent(err) || apierrors.IsForbidden(err) {
			continue // what may not be listed was not made either
		}
		if err != nil {
			return fmt.Errorf("look for what was made: %w", err)
		}
		if err := meta.EachListItem(list, func(o runtime.Object) error {
			obj := o.(client.Object)
			if wanted[obj.GetLabels()[labelForecast]] || obj.GetDeletionTimestamp() != nil {
				return nil
			}
			return client.IgnoreNotFound(r.opts.Client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		}); err != nil {
			return fmt.Errorf("remove what is not wanted any more: %w", err)
		}
	}
	return nil
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
