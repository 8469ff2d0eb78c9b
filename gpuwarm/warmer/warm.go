package warmer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// warm does for one Forecast what is to be done now.
func (r *Reconciler) warm(ctx context.Context, l *look, fc *v1alpha1.Forecast, out *outcome) (v1alpha1.WarmForecast, error) {
	w := v1alpha1.WarmForecast{Name: fc.Name}
	out.placeholders = 0
	t, err := r.targetFor(ctx, l, fc)
	if no, ok := errors.AsType[refusal](err); ok {
		w.Message = clip(no.why)
		out.refused++
		return w, r.let(ctx, l, fc.Name)
	}
	if err != nil {
		return w, err
	}
	h := gpuwarm.Staging(t.timeline, l.now, l.stages, t.replicas)
	w.Needed, w.Replicas = int32(h.Needed), int32(t.replicas)
	short := r.shortfall(l, fc, t, out)
	if err := r.warmNodes(ctx, l, fc, t, h, &w, out); err != nil {
		return w, err
	}
	if err := r.warmImages(ctx, l, fc, t, h, &w, out); err != nil {
		return w, err
	}
	if w.Message == "" {
		w.Message = clip(short)
	}
	return w, nil
}

// targetFor is the target of a Forecast, unless an older WarmPool is there for it.
func (r *Reconciler) targetFor(ctx context.Context, l *look, fc *v1alpha1.Forecast) (*target, error) {
	var pools v1alpha1.WarmPoolList
	if err := r.opts.Client.List(ctx, &pools, client.InNamespace(l.pool.Namespace)); err != nil {
		return nil, fmt.Errorf("list WarmPools: %w", err)
	}
	for i := range pools.Items {
		p := &pools.Items[i]
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.ForecastSelector)
		if err != nil || p.UID == l.pool.UID || p.DeletionTimestamp != nil || !selector.Matches(labels.Set(fc.Labels)) {
			continue
		}
		if older := cmp.Or(p.CreationTimestamp.Compare(l.pool.CreationTimestamp.Time), cmp.Compare(p.Name, l.pool.Name)); older < 0 {
			return nil, refuse("WarmPool %s selects this Forecast as well and is older: it warms for it", p.Name)
		}
	}
	return r.targetOf(ctx, fc, l.pods)
}

// warmNodes holds nodes.
func (r *Reconciler) warmNodes(ctx context.Context, l *look, fc *v1alpha1.Forecast, t *target, h gpuwarm.Hold, w *v1alpha1.WarmForecast, out *outcome) error {
	by := r.nodesBy(l)
	want := 0
	if by != v1alpha1.WarmNodesOff {
		want = within(l.pool.Spec.Limits, l.used, t.shape, h.Nodes)
		if want < h.Nodes {
			out.limited++
			w.Message = clip(fmt.Sprintf("spec.limits leaves room for %d of the %d replicas that are to be held for", want, h.Nodes))
		}
	}
	w.NodesBy, w.Hold = string(by), int32(want)
	if !l.act {
		want = 0
	}
	have := l.mine(rolePlaceholder, fc.Name)
	if by == v1alpha1.WarmNodesCapacityBuffer && l.act {
		err := r.buffer(ctx, l.pool, fc.Name, t, want)
		if !absent(err) {
			if err := out.denied(&out.nodes, w, "CapacityBuffer", err); err != nil {
				return err
			}
			_, err = r.hold(ctx, l.pool, fc.Name, t, have, 0)
			return err
		}
		r.apis.gone(capacityBuffer, l.now)
		w.NodesBy = string(v1alpha1.WarmNodesPlaceholders)
		if l.pool.Spec.Nodes.Policy == v1alpha1.WarmNodesCapacityBuffer {
			w.NodesBy, want = string(v1alpha1.WarmNodesOff), 0
		}
	}
	if err := r.unbuffer(ctx, l.pool, fc.Name); err != nil && !absent(err) && !apierrors.IsForbidden(err) {
		return err
	}
	n, err := r.hold(ctx, l.pool, fc.Name, t, have, want)
	out.placeholders = int32(n)
	for i := range have {
		if rank(&have[i], shapeHash(t)) == 0 && have[i].DeletionTimestamp == nil {
			w.Held++
		}
	}
	w.Held = min(w.Held, int32(n))
	return out.denied(&out.nodes, w, "placeholders", err)
}

// nodesBy is what holds nodes now.
func (r *Reconciler) nodesBy(l *look) v1alpha1.WarmNodesPolicy {
	there := r.apis.has(capacityBuffer, l.now)
	switch p := l.pool.Spec.Nodes.Policy; p {
	case v1alpha1.WarmNodesOff, v1alpha1.WarmNodesPlaceholders:
		return p
	case v1alpha1.WarmNodesCapacityBuffer:
		if !there {
			return v1alpha1.WarmNodesOff
		}
		return p
	}
	if there {
		return v1alpha1.WarmNodesCapacityBuffer
	}
	return v1alpha1.WarmNodesPlaceholders
}

// warmImages brings the image to the nodes that the plan will use.
func (r *Reconciler) warmImages(ctx context.Context, l *look, fc *v1alpha1.Forecast, t *target, h gpuwarm.Hold, w *v1alpha1.WarmForecast, out *outcome) error {
	by := r.imagesBy(l)
	var nodes []*corev1.Node
	if by != v1alpha1.WarmImagesOff {
		nodes = usedBy(t, l.nodes, r.freeFor(l, fc, t), l.busy(fc, t), h.Images-t.replicas)
	}
	missing := slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool { return gpuwarm.HasImage(n, t.image) })
	w.ImagesBy, w.ImageNodes, w.ImageNodesReady = string(by), int32(len(nodes)), int32(len(nodes)-len(missing))
	if !l.act {
		nodes, missing = nil, nil
	}
	have := l.mine(rolePull, fc.Name)
	if by == v1alpha1.WarmImagesImagePullJob {
		failure, err := r.pullJob(ctx, l.pool, fc.Name, t, sortedNames(missing))
		if !absent(err) {
			out.pullFails(w, failure)
			if err := out.denied(&out.images, w, "ImagePullJob", err); err != nil {
				return err
			}
			_, err = r.pullPods(ctx, l.pool, fc.Name, nil, nil, have)
			return err
		}
		r.apis.gone(imagePullJob, l.now)
		w.ImagesBy = string(v1alpha1.WarmImagesPods)
		if l.pool.Spec.Images.Policy == v1alpha1.WarmImagesImagePullJob {
			w.ImagesBy, nodes = string(v1alpha1.WarmImagesOff), nil
		}
	} else if err := r.unjob(ctx, l, fc.Name); err != nil {
		return err
	}
	p, err := r.pullPods(ctx, l.pool, fc.Name, t, nodes, have)
	out.pullFails(w, p.failure)
	w.ImageNodesReady = max(w.ImageNodesReady, int32(p.ready))
	return out.denied(&out.images, w, "image pulls", err)
}

// unjob removes the ImagePullJob of one Forecast, as far as there is one.
func (r *Reconciler) unjob(ctx context.Context, l *look, fc string) error {
	if !r.apis.has(imagePullJob, l.now) {
		return nil
	}
	err := r.remove(ctx, l.pool, newObject(imagePullJob, l.pool.Namespace, objectName(l.pool, fc)))
	if apierrors.IsForbidden(err) {
		return nil // and so it cannot have made one
	}
	return err
}

func (r *Reconciler) imagesBy(l *look) v1alpha1.WarmImagesPolicy {
	there := r.apis.has(imagePullJob, l.now)
	switch p := l.pool.Spec.Images.Policy; p {
	case v1alpha1.WarmImagesOff, v1alpha1.WarmImagesPods:
		return p
	case v1alpha1.WarmImagesImagePullJob:
		if !there {
			return v1alpha1.WarmImagesOff
		}
		return p
	}
	if there {
		return v1alpha1.WarmImagesImagePullJob
	}
	return v1alpha1.WarmImagesPods
}

// freeFor is what the nodes have beside others' pods: the target's own and all placeholders leave their room to it.
func (r *Reconciler) freeFor(l *look, fc *v1alpha1.Forecast, t *target) map[string]corev1.ResourceList {
	return gpuwarm.Free(l.nodes, l.pods, func(p *corev1.Pod) bool {
		return p.Labels[labelRole] != "" || (p.Namespace == fc.Namespace && t.selector.Matches(labels.Set(p.Labels)))
	})
}

// busy are the nodes with replicas of the target or places held for it.
func (l *look) busy(fc *v1alpha1.Forecast, t *target) map[string]bool {
	out := map[string]bool{}
	for i := range l.pods {
		p := &l.pods[i]
		own := p.Namespace == fc.Namespace && p.Labels[labelRole] == "" && t.selector.Matches(labels.Set(p.Labels))
		held := p.Labels[labelRole] == rolePlaceholder && p.Labels[labelForecast] == forecastHash(fc.Namespace, fc.Name)
		if p.Spec.NodeName != "" && alive(p) && (own || held) {
			out[p.Spec.NodeName] = true
		}
	}
	return out
}

// shortfall looks for when the plan needs more than can be given, and says so; empty where it does not.
func (r *Reconciler) shortfall(l *look, fc *v1alpha1.Forecast, t *target, out *outcome) string {
	c := gpuwarm.Capacity{Grows: l.pool.Spec.Nodes.Policy != v1alpha1.WarmNodesOff, Quota: gpuwarm.QuotaRoom(l.quotas, t.shape)}
	for i := range l.nodes {
		if n := &l.nodes[i]; t.shape.Admits(n) {
			c.Fits += t.shape.Room(l.free[n.Name])
		}
	}
	c.Fits = max(0, c.Fits-t.waiting) // what waits will take its place there
	if pool := l.pool.Spec.Nodes.Capacity; len(pool) > 0 {
		c.Pool = within(pool, corev1.ResourceList{}, t.shape, 1<<20)
	}
	most, bound, ok := c.Most(t.replicas)
	if !ok {
		return ""
	}
	peak, at, planned := t.timeline.Most(l.now, t.timeline.End())
	if !planned || peak <= most {
		return ""
	}
	from, _ := t.timeline.First(l.now, most)
	out.short(fc.Name, peak-most)
	return fmt.Sprintf("the plan needs %d replicas at %s and more than %d from %s on, but the %s can give %d: %s", peak,
		at.UTC().Format(time.RFC3339), most, from.UTC().Format(time.RFC3339), bound, most, map[string]string{
			"nodes": "add nodes, or let spec.nodes bring them up", "pool": "let the node pool grow further, or correct spec.nodes.capacity",
			"quota": "raise the namespace's ResourceQuota",
		}[bound])
}
