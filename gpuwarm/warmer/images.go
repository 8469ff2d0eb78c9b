package warmer

import (
	"cmp"
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// warmImages brings the image to the nodes that the plan will use.
func (r *Reconciler) warmImages(ctx context.Context, l *look, j *job, out *outcome) error {
	if p := l.pool.Spec.Images.Policy; p != v1alpha1.WarmImagesOff && p != v1alpha1.WarmImagesPods {
		if err := r.apis.sure(imagePullJob, l.now); err != nil {
			return err
		}
	}
	by, lacking := r.imagesBy(l)
	if lacking {
		out.lacks(&out.images, &j.status, "spec.images.policy", string(v1alpha1.WarmImagesImagePullJob))
	}
	fc, t := j.fc, j.target
	var nodes []*corev1.Node
	if by != v1alpha1.WarmImagesOff {
		nodes = usedBy(t, l.nodes, r.freeFor(l, fc, t), l.busy(fc, t), j.hold.Images-t.replicas)
	}
	j.status.ImagesBy = string(by)
	defer func() { j.countImages(nodes) }()
	if !l.act {
		by = v1alpha1.WarmImagesOff
	}
	if by == v1alpha1.WarmImagesPods {
		l.adoptPulls(j, nodes)
	}
	have := l.mine(rolePull, fc.Name)
	if before, waiting := r.deniedLately(j, "images", l.now); waiting {
		j.pulled = r.trialsOf(l, fc.Name, t.admitted).done
		return out.denied(&out.images, &j.status, "image pulls", before)
	}
	if by == v1alpha1.WarmImagesImagePullJob {
		gone, err := r.pullByJob(ctx, l, j, nodes, have, out)
		if !gone {
			return err
		}
		by = r.insteadOfJob(l, j, out)
	}
	left := r.unjob(ctx, l, fc.Name)
	if by == v1alpha1.WarmImagesOff {
		t = nil
	}
	p, err := r.pullPods(ctx, l, fc.Name, t, nodes, have)
	j.pulled = p.done
	r.noteDenied(j, "images", l.now, err)
	out.fails(&out.pulls, &j.status, reasonPullFails, p.failure)
	return errors.Join(left, out.denied(&out.images, &j.status, "image pulls", err))
}

// pullByJob has OpenKruise pull. It reports whether its API is gone.
func (r *Reconciler) pullByJob(ctx context.Context, l *look, j *job, nodes []*corev1.Node, have []corev1.Pod, out *outcome) (gone bool, err error) {
	past := r.trialsOf(l, j.fc.Name, j.target.admitted)
	past.prune(nodes, l.now)
	var missing []*corev1.Node
	for _, n := range nodes {
		if j.target.known.On(n) {
			past.have(n, true, l.now)
			continue
		}
		past.lack(n, l.now)
		missing = append(missing, n)
	}
	failure, err := r.pullJob(ctx, l, j.fc.Name, j.target, missing, past)
	past.done = map[string]bool{}
	for n := range past.told {
		past.done[n] = true
	}
	j.pulled = past.done
	r.noteDenied(j, "images", l.now, err)
	if absent(err) {
		return true, nil
	}
	out.fails(&out.pulls, &j.status, reasonPullFails, cmp.Or(failure, past.failure(nodes)))
	if err := out.denied(&out.images, &j.status, "ImagePullJob", err); err != nil {
		return false, err
	}
	return false, r.dropAll(ctx, have)
}

// insteadOfJob settles what pulls images where the API that was to vanished just now.
func (r *Reconciler) insteadOfJob(l *look, j *job, out *outcome) v1alpha1.WarmImagesPolicy {
	r.apis.gone(imagePullJob, l.now)
	by := v1alpha1.WarmImagesPods
	if l.pool.Spec.Images.Policy == v1alpha1.WarmImagesImagePullJob {
		out.lacks(&out.images, &j.status, "spec.images.policy", string(v1alpha1.WarmImagesImagePullJob))
		by = v1alpha1.WarmImagesOff
	}
	j.status.ImagesBy = string(by)
	return by
}

// countImages says on how many of the nodes that are to have the image it is.
func (j *job) countImages(nodes []*corev1.Node) {
	j.status.ImageNodes, j.status.ImageNodesReady = int32(len(nodes)), 0
	for _, n := range nodes {
		if j.has(n) {
			j.status.ImageNodesReady++
		}
	}
}

// has is whether a node has the target's image: it lists it; or it lists its largest images only, and a pull came through.
func (j *job) has(n *corev1.Node) bool {
	return j.target.known.On(n) || (j.pulled[n.Name] && len(n.Status.Images) >= listed)
}

// unjob removes the ImagePullJob of one Forecast, as far as there is one.
func (r *Reconciler) unjob(ctx context.Context, l *look, fc string) error {
	if !r.apis.has(imagePullJob, l.now) {
		return nil
	}
	return r.removeOnce(ctx, l.pool, newObject(imagePullJob, l.pool.Namespace, objectName(l.pool, fc)))
}

// imagesBy is what pulls images now, and whether the API that was asked for is missing.
func (r *Reconciler) imagesBy(l *look) (by v1alpha1.WarmImagesPolicy, missing bool) {
	p := l.pool.Spec.Images.Policy
	switch there := r.apis.has(imagePullJob, l.now); {
	case p == v1alpha1.WarmImagesOff, p == v1alpha1.WarmImagesPods:
		return p, false
	case there:
		return v1alpha1.WarmImagesImagePullJob, false
	case p == v1alpha1.WarmImagesImagePullJob:
		return v1alpha1.WarmImagesOff, true
	}
	return v1alpha1.WarmImagesPods, false
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
		held := p.Labels[labelRole] == rolePlaceholder && l.heirOf(p) == forecastHash(fc.Namespace, fc.Name)
		if p.Spec.NodeName != "" && alive(p) && (own || held) {
			out[p.Spec.NodeName] = true
		}
	}
	return out
}

// usedBy picks the nodes that the target will be on: those that have replicas or hold places for them, and as many of those with free room, most room
// first, as more replicas would fill. The scheduler puts a pod onto a free node before it evicts a placeholder, so held nodes alone would not do.
// free is what nodes have beside others' pods.
func usedBy(t *target, nodes []corev1.Node, free map[string]corev1.ResourceList, busy map[string]bool, more int) []*corev1.Node {
	type candidate struct {
		node *corev1.Node
		room int
	}
	var out []*corev1.Node
	var open []candidate
	for i := range nodes {
		n := &nodes[i]
		room := 0
		if t.shape.Admits(n) {
			room = t.room(free[n.Name])
		}
		switch {
		case room <= 0:
		case busy[n.Name]:
			out = append(out, n)
		default:
			open = append(open, candidate{n, room})
		}
	}
	slices.SortFunc(open, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.room, a.room), cmp.Compare(a.node.Name, b.node.Name))
	})
	for _, c := range open {
		if more <= 0 {
			break
		}
		out = append(out, c.node)
		more -= c.room
	}
	return out
}
