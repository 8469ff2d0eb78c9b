package warmer

import (
	"cmp"
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

// let lets go of everything that is held for a Forecast, and that no other one of its target is to take over.
func (r *Reconciler) let(ctx context.Context, l *look, j *job) error {
	return errors.Join(r.handOver(ctx, l, j), r.unload(ctx, l, j.fc.Name, ""))
}

// letReplicas lets go of nodes and images.
func (r *Reconciler) letReplicas(ctx context.Context, l *look, fc string) error {
	_, held := r.hold(ctx, l, fc, nil, l.mine(rolePlaceholder, fc), 0)
	_, pulling := r.pullPods(ctx, l, fc, nil, nil, l.mine(rolePull, fc))
	return errors.Join(held, pulling, r.unask(ctx, l.pool, fc, ""), r.unjob(ctx, l, fc))
}

// keep sees to what is held for a Forecast whose target cannot be read: what the WarmPool is to hold for nobody any more goes, and placeholders that come to their own
// end are made anew where it is known what they are like. One that a replica took the place of is not.
func (r *Reconciler) keep(ctx context.Context, l *look, j *job) error {
	fc, have := j.fc.Name, l.mine(rolePlaceholder, j.fc.Name)
	if !l.act {
		return r.letReplicas(ctx, l, fc)
	}
	ended := slices.DeleteFunc(slices.Clone(have), func(p corev1.Pod) bool { return alive(&p) || p.DeletionTimestamp != nil })
	var errs []error
	switch {
	case l.pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff:
		_, err := r.hold(ctx, l, fc, nil, have, 0)
		errs = append(errs, err, r.unask(ctx, l.pool, fc, ""))
	case j.last == nil:
		errs = append(errs, r.dropAll(ctx, ended))
	case len(ended) > 0:
		_, err := r.hold(ctx, l, fc, j.last, have, live(have)+len(ended))
		errs = append(errs, err)
	}
	if l.pool.Spec.Images.Policy == v1alpha1.WarmImagesOff {
		_, err := r.pullPods(ctx, l, fc, nil, nil, l.mine(rolePull, fc))
		errs = append(errs, err, r.unjob(ctx, l, fc))
	}
	return errors.Join(errs...)
}

// sweep is when what a WarmPool made was looked through, and which Forecasts it was for then.
type sweep struct {
	wanted string
	until  time.Time // when it is looked through again
	err    error     // unseen, denied, or nil
}

// forsake lets go of what is held for Forecasts that are not selected any more. Labels say what that is, and not what is remembered: what an earlier process
// made, or a look that failed, would hold its nodes for as long as the WarmPool is there.
func (r *Reconciler) forsake(ctx context.Context, l *look, wanted map[string]bool) error {
	key, pool := client.ObjectKeyFromObject(l.pool), poolHash(l.pool.Namespace, l.pool.Name)
	var dropped []corev1.Pod
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[labelPool] == pool && !wanted[l.heirOf(p)] && p.DeletionTimestamp == nil {
			dropped = append(dropped, *p)
		}
	}
	pods := r.dropAll(ctx, inOrder(dropped))
	gone := func(key string) bool {
		of, fc, _ := strings.Cut(key, "/")
		return of == pool && !wanted[fc]
	}
	maps.DeleteFunc(r.trials, func(k string, _ *trials) bool { return gone(k) })
	maps.DeleteFunc(r.ends, func(k string, _ ends) bool { return gone(k) })
	all := hash(slices.Sorted(maps.Keys(wanted))...)
	if s := r.swept[key]; s.wanted == all && l.now.Before(s.until) {
		return errors.Join(pods, s.err)
	}
	no, err := r.sweepObjects(ctx, l, wanted)
	switch {
	case err != nil && refused(err):
		r.swept[key] = sweep{all, l.now.Add(denyPause), errors.Join(no, err)}
	case err != nil:
		delete(r.swept, key)
	case no != nil:
		r.swept[key] = sweep{all, l.now.Add(remembered), no}
	default:
		r.swept[key] = sweep{all, l.now.Add(recheck), nil}
	}
	return errors.Join(pods, err, no)
}

// sweepObjects removes all that the WarmPool made beside pods for Forecasts that are not wanted. no is which of it may not be looked for.
func (r *Reconciler) sweepObjects(ctx context.Context, l *look, wanted map[string]bool) (no, err error) {
	lists := []client.ObjectList{&corev1.PodTemplateList{}, &batchv1.JobList{}}
	for _, gvk := range []schema.GroupVersionKind{capacityBuffer, provisioningRequest, imagePullJob, dataLoad} {
		if err := r.apis.sure(gvk, l.now); err != nil {
			no = cmp.Or[error](no, unseen{err})
		}
		if r.apis.has(gvk, l.now) {
			u := &unstructured.UnstructuredList{}
			u.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
			lists = append(lists, u)
		}
	}
	var errs []error
	for _, list := range lists {
		err := r.opts.Live.List(ctx, list, client.InNamespace(l.pool.Namespace), client.MatchingLabels{labelPool: poolHash(l.pool.Namespace, l.pool.Name)})
		switch {
		case absent(err):
			continue
		case apierrors.IsForbidden(err):
			no = cmp.Or[error](no, unseen{err})
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("look for what was made: %w", err))
			continue
		}
		errs = append(errs, meta.EachListItem(list, func(o runtime.Object) error {
			obj := o.(client.Object)
			if wanted[obj.GetLabels()[labelForecast]] || obj.GetDeletionTimestamp() != nil {
				return nil
			}
			return client.IgnoreNotFound(r.opts.Client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		}))
	}
	return no, errors.Join(errs...)
}

// release deletes all pods of a WarmPool that is gone. What it owns in its own namespace the garbage collector sees to.
func (r *Reconciler) release(ctx context.Context, pool string) error {
	var pods corev1.PodList
	if err := r.opts.Client.List(ctx, &pods, client.InNamespace(r.opts.Namespace), client.MatchingLabels{labelPool: pool}); err != nil {
		return fmt.Errorf("list placeholders: %w", err)
	}
	return r.dropAll(ctx, pods.Items)
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
	return r.dropAll(ctx, slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return known[p.Labels[labelPool]] || p.DeletionTimestamp != nil }))
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
