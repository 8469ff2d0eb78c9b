package warmer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// warm does for one Forecast what is to be done now.
func (r *Reconciler) warm(ctx context.Context, l *look, j *job, out *outcome) error {
	out.placeholders = 0
	if j.target == nil {
		out.refused++
		return r.let(ctx, l, j.fc.Name)
	}
	// One stage's failure keeps none of the others from being warmed.
	err := errors.Join(
		r.warmNodes(ctx, l, j, out),
		r.warmImages(ctx, l, j, out),
		r.warmWeights(ctx, l, j, out),
	)
	if j.status.Message == "" {
		j.status.Message = clip(j.short)
	}
	return err
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
func (r *Reconciler) warmNodes(ctx context.Context, l *look, j *job, out *outcome) error {
	by, missing := r.nodesBy(l)
	want := 0
	if by != v1alpha1.WarmNodesOff {
		want = within(l.pool.Spec.Limits, l.used, j.target.shape, j.hold.Nodes)
		if want < j.hold.Nodes {
			out.limited++
			j.status.Message = clip(fmt.Sprintf("spec.limits leaves room for %d of the %d replicas that are to be held for", want, j.hold.Nodes))
		}
	}
	if missing != "" {
		out.lacks(&out.nodes, &j.status, "spec.nodes.policy", missing)
	}
	j.status.NodesBy, j.status.Hold = string(by), int32(want)
	if !l.act {
		by, want = v1alpha1.WarmNodesOff, 0
	}
	if by == v1alpha1.WarmNodesCapacityBuffer || by == v1alpha1.WarmNodesProvisioningRequest {
		gone, err := r.warmByAPI(ctx, l, j, by, want, out)
		if !gone {
			return err
		}
		want = r.instead(l, j, by, want, out)
	}
	if err := r.unask(ctx, l.pool, j.fc.Name, ""); err != nil {
		return err
	}
	return r.warmByPlaceholders(ctx, l, j, want, out)
}

// warmByAPI has the cluster's autoscaler hold nodes. It reports whether the API is gone.
func (r *Reconciler) warmByAPI(ctx context.Context, l *look, j *job, by v1alpha1.WarmNodesPolicy, want int, out *outcome) (gone bool, err error) {
	failure := ""
	waiting := false
	err, waiting = r.deniedLately(j, string(by), l.now)
	switch {
	case waiting:
	case by == v1alpha1.WarmNodesCapacityBuffer:
		err = r.buffer(ctx, l.pool, j.fc.Name, j.target, want)
	default:
		failure, err = r.request(ctx, l.pool, j.fc.Name, j.target, want)
	}
	if !waiting {
		r.noteDenied(j, string(by), l.now, err)
	}
	if absent(err) {
		return true, nil
	}
	// What such an object's own conditions say is not taken for nodes: Provisioning is True of a CapacityBuffer where pods were injected into a simulation (the
	// cluster autoscaler) or where they fit (Karpenter). Room on nodes that are Ready counts.
	j.status.Held = int32(min(want, l.roomFor(j.target)))
	out.fails(&out.nodes, &j.status, reasonNotProvisioned, failure)
	if err := out.denied(&out.nodes, &j.status, string(by), err); err != nil {
		return false, err
	}
	if err := r.unask(ctx, l.pool, j.fc.Name, string(by)); err != nil {
		return false, err
	}
	_, err = r.hold(ctx, l.pool, j.fc.Name, j.target, l.mine(rolePlaceholder, j.fc.Name), 0)
	return false, err
}

// roomFor is how many more replicas the nodes that there are have room for.
func (l *look) roomFor(t *target) int {
	room := 0
	for i := range l.nodes {
		if n := &l.nodes[i]; t.shape.Admits(n) {
			room += t.shape.Room(l.free[n.Name])
		}
	}
	return max(0, room-t.waiting) // what waits will take its place there
}

// instead settles what holds nodes where the API that was to vanished just now, and returns how many placeholders that takes.
func (r *Reconciler) instead(l *look, j *job, by v1alpha1.WarmNodesPolicy, want int, out *outcome) int {
	r.apis.gone(kindOfPolicy[by], l.now)
	if l.pool.Spec.Nodes.Policy == v1alpha1.WarmNodesAuto {
		j.status.NodesBy = string(v1alpha1.WarmNodesPlaceholders)
		return want
	}
	j.status.NodesBy, j.status.Hold = string(v1alpha1.WarmNodesOff), 0
	out.lacks(&out.nodes, &j.status, "spec.nodes.policy", string(by))
	return 0
}

func (r *Reconciler) warmByPlaceholders(ctx context.Context, l *look, j *job, want int, out *outcome) error {
	have := l.mine(rolePlaceholder, j.fc.Name)
	before, waiting := r.deniedLately(j, "placeholders", l.now)
	if waiting {
		want = min(want, live(have))
	}
	n, err := r.hold(ctx, l.pool, j.fc.Name, j.target, have, want)
	if waiting && err == nil {
		err = before
	} else {
		r.noteDenied(j, "placeholders", l.now, err)
	}
	out.placeholders = int32(n)
	for i := range have {
		if rank(&have[i], shapeHash(j.target)) == 0 && have[i].DeletionTimestamp == nil {
			j.status.Held++
		}
	}
	j.status.Held = min(j.status.Held, int32(n))
	return out.denied(&out.nodes, &j.status, "placeholders", err)
}

var kindOfPolicy = map[v1alpha1.WarmNodesPolicy]schema.GroupVersionKind{
	v1alpha1.WarmNodesCapacityBuffer: capacityBuffer, v1alpha1.WarmNodesProvisioningRequest: provisioningRequest,
}

// nodesBy is what holds nodes now, and which API that was asked for is missing.
func (r *Reconciler) nodesBy(l *look) (by v1alpha1.WarmNodesPolicy, missing string) {
	switch p := l.pool.Spec.Nodes.Policy; p {
	case v1alpha1.WarmNodesOff, v1alpha1.WarmNodesPlaceholders:
		return p, ""
	case v1alpha1.WarmNodesCapacityBuffer, v1alpha1.WarmNodesProvisioningRequest:
		if !r.apis.has(kindOfPolicy[p], l.now) {
			return v1alpha1.WarmNodesOff, string(p)
		}
		return p, ""
	}
	if r.apis.has(capacityBuffer, l.now) {
		return v1alpha1.WarmNodesCapacityBuffer, ""
	}
	return v1alpha1.WarmNodesPlaceholders, ""
}

// warmImages brings the image to the nodes that the plan will use.
func (r *Reconciler) warmImages(ctx context.Context, l *look, j *job, out *outcome) error {
	by, lacking := r.imagesBy(l)
	if lacking {
		out.lacks(&out.images, &j.status, "spec.images.policy", string(v1alpha1.WarmImagesImagePullJob))
	}
	fc, t := j.fc, j.target
	var nodes []*corev1.Node
	if by != v1alpha1.WarmImagesOff {
		nodes = usedBy(t, l.nodes, r.freeFor(l, fc, t), l.busy(fc, t), j.hold.Images-t.replicas)
	}
	missing := slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool { return gpuwarm.HasImage(n, t.image) })
	j.status.ImagesBy, j.status.ImageNodes, j.status.ImageNodesReady = string(by), int32(len(nodes)), int32(len(nodes)-len(missing))
	if !l.act {
		nodes, missing = nil, nil
	}
	have := l.mine(rolePull, fc.Name)
	if before, waiting := r.deniedLately(j, "images", l.now); waiting {
		return out.denied(&out.images, &j.status, "image pulls", before)
	}
	if by == v1alpha1.WarmImagesImagePullJob {
		failure, err := r.pullJob(ctx, l.pool, fc.Name, t, sortedNames(missing))
		r.noteDenied(j, "images", l.now, err)
		if !absent(err) {
			out.fails(&out.pulls, &j.status, reasonPullFails, failure)
			if err := out.denied(&out.images, &j.status, "ImagePullJob", err); err != nil {
				return err
			}
			_, err = r.pullPods(ctx, l.pool, fc.Name, nil, nil, have)
			return err
		}
		r.apis.gone(imagePullJob, l.now)
		j.status.ImagesBy = string(v1alpha1.WarmImagesPods)
		if l.pool.Spec.Images.Policy == v1alpha1.WarmImagesImagePullJob {
			out.lacks(&out.images, &j.status, "spec.images.policy", string(v1alpha1.WarmImagesImagePullJob))
			j.status.ImagesBy, nodes = string(v1alpha1.WarmImagesOff), nil
		}
	} else if err := r.unjob(ctx, l, fc.Name); err != nil {
		return err
	}
	p, err := r.pullPods(ctx, l.pool, fc.Name, t, nodes, have)
	r.noteDenied(j, "images", l.now, err)
	out.fails(&out.pulls, &j.status, reasonPullFails, p.failure)
	j.status.ImageNodesReady = max(j.status.ImageNodesReady, int32(p.ready))
	return out.denied(&out.images, &j.status, "image pulls", err)
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
		held := p.Labels[labelRole] == rolePlaceholder && p.Labels[labelForecast] == forecastHash(fc.Namespace, fc.Name)
		if p.Spec.NodeName != "" && alive(p) && (own || held) {
			out[p.Spec.NodeName] = true
		}
	}
	return out
}
