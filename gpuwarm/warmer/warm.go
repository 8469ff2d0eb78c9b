package warmer

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"headstart.dev/headstart/api/v1alpha1"
)

// warm does for one Forecast what is to be done now, and tells where it goes by what its target was.
func (r *Reconciler) warm(ctx context.Context, l *look, j *job, out *outcome) error {
	err := r.warmOne(ctx, l, j, out)
	if j.stale == nil {
		return err
	}
	return errors.Join(err, out.settle(&out.nodes, &j.status, fmt.Sprintf("the target for Forecast %s, taken for up to %s for what it was", j.fc.Name, v1alpha1.FormatDuration(recalled)), j.stale))
}

func (r *Reconciler) warmOne(ctx context.Context, l *look, j *job, out *outcome) error {
	out.placeholders = 0
	of := " for Forecast " + j.fc.Name
	switch {
	case j.err != nil: // what is held for it stays, unless it is to be held for nobody
		left := out.settle(&out.left, nil, "removal of what was warmed"+of, r.keep(ctx, l, j))
		out.placeholders = l.countKept(j)
		return errors.Join(left, out.settleAs(&out.nodes, &j.status, "the target"+of, "what is held for it stays", j.err))
	case j.target == nil:
		out.refused++
		err := r.let(ctx, l, j)
		if err == nil && !l.awaited(j) {
			j.status.NodesBy, j.status.Hold = "", 0
		}
		return out.settle(&out.left, nil, "removal of what was warmed"+of, err)
	}
	if j.joined() {
		return r.warmJoined(ctx, l, j, out)
	}
	r.inherit(l, j)
	nodes := r.warmNodes(ctx, l, j, out)
	j.took = nodes == nil && !j.unasked
	// One stage's failure keeps none of the others from being warmed.
	err := errors.Join(
		out.settle(&out.nodes, &j.status, "nodes"+of, nodes),
		out.settle(&out.images, &j.status, "images"+of, r.warmImages(ctx, l, j, out)),
		out.settle(&out.weights, &j.status, "weights"+of, r.warmWeights(ctx, l, j, out)),
	)
	l.countHeld(j)
	if j.there < j.asked { // where there are nodes all the same it does not matter
		out.fails(&out.nodes, &j.status, reasonNotProvisioned, j.unmet)
	}
	if j.status.Message == "" {
		j.status.Message = clip(j.short)
	}
	return err
}

// warmNodes holds nodes.
func (r *Reconciler) warmNodes(ctx context.Context, l *look, j *job, out *outcome) error {
	if err := r.sureOfNodes(l); err != nil {
		return err
	}
	by, missing := r.nodesBy(l)
	want := 0
	if by != v1alpha1.WarmNodesOff {
		want = l.allot(j)
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
	return errors.Join(r.unask(ctx, l.pool, j.fc.Name, ""), r.warmByPlaceholders(ctx, l, j, want, out))
}

// warmByAPI has the cluster's autoscaler hold nodes. It reports whether the API is gone.
func (r *Reconciler) warmByAPI(ctx context.Context, l *look, j *job, by v1alpha1.WarmNodesPolicy, want int, out *outcome) (gone bool, err error) {
	failure := ""
	waiting := false
	err, waiting = r.deniedLately(j, string(by), l.now)
	switch {
	case waiting:
	case by == v1alpha1.WarmNodesCapacityBuffer:
		j.unmet, err = r.buffer(ctx, l.pool, j.fc.Name, j.target, want)
	default:
		failure, err = r.request(ctx, l.pool, j.fc.Name, j.target, want)
	}
	if !waiting {
		r.noteDenied(j, string(by), l.now, err)
	}
	if absent(err) {
		return true, nil
	}
	// What such an object's own conditions say is not taken for nodes: room on nodes that are Ready counts.
	j.asked, j.byAPI, j.unasked = want, true, err != nil
	out.fails(&out.nodes, &j.status, reasonNotProvisioned, failure)
	if err := out.denied(&out.nodes, &j.status, string(by), err); err != nil {
		return false, err
	}
	_, err = r.hold(ctx, l, j.fc.Name, j.target, l.mine(rolePlaceholder, j.fc.Name), 0)
	return false, errors.Join(r.unask(ctx, l.pool, j.fc.Name, string(by)), err)
}

// countHeld says for how many replicas nodes are held that are warm. One that has not got the image yet would make a replica wait as a node that comes up does.
func (l *look) countHeld(j *job) {
	pulls := j.status.ImagesBy != string(v1alpha1.WarmImagesOff)
	warm := func(n *corev1.Node) bool { return !pulls || (n != nil && j.has(n)) }
	if j.byAPI {
		j.places = l.take(j.target, j.asked, warm)
		j.there = len(j.places)
	}
	held := 0
	for _, name := range j.places {
		if warm(l.node(name)) {
			held++
		}
	}
	j.status.Held = int32(min(held, j.there))
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
	before, waits := r.deniedLately(j, "placeholders", l.now)
	failure, pause := "", false
	if want > 0 {
		failure, pause = r.endsOf(ctx, l, j, have)
	}
	if waits || pause {
		want = min(want, l.ofUse(have, shapeHash(j.target)))
	}
	n, err := r.hold(ctx, l, j.fc.Name, j.target, have, want)
	if waits && err == nil {
		err = before
	} else {
		r.noteDenied(j, "placeholders", l.now, err)
	}
	out.placeholders = int32(n)
	for i := range have {
		p := &have[i]
		if node := l.node(p.Spec.NodeName); l.rank(p, shapeHash(j.target)) == bound && p.DeletionTimestamp == nil && (node == nil || j.target.shape.Admits(node)) {
			j.places = append(j.places, p.Spec.NodeName)
		}
	}
	j.there = min(len(j.places), n)
	err = out.denied(&out.nodes, &j.status, "placeholders", err)
	out.fails(&out.nodes, &j.status, reasonHoldFails, failure)
	return err
}

var kindOfPolicy = map[v1alpha1.WarmNodesPolicy]schema.GroupVersionKind{
	v1alpha1.WarmNodesCapacityBuffer: capacityBuffer, v1alpha1.WarmNodesProvisioningRequest: provisioningRequest,
}

// sureOfNodes is nil once it is known whether there is the API that is to hold nodes.
func (r *Reconciler) sureOfNodes(l *look) error {
	switch p := l.pool.Spec.Nodes.Policy; p {
	case v1alpha1.WarmNodesOff, v1alpha1.WarmNodesPlaceholders:
		return nil
	case v1alpha1.WarmNodesProvisioningRequest:
		return r.apis.sure(provisioningRequest, l.now)
	}
	return r.apis.sure(capacityBuffer, l.now)
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
