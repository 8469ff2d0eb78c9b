package warmer

import (
	"context"
	"errors"
	"fmt"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/images"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/nodes"
	"headstart.dev/headstart/gpuwarm/warmer/weights"
)

// applier makes what is there what is desired, for one look at a WarmPool.
type applier struct {
	r  *Reconciler
	o  *observation
	d  *allocate.Desired
	st *poolState

	client  kube.Client
	nodes   *nodes.Methods
	images  *images.Methods
	weights *weights.Methods
}

func (r *Reconciler) newApplier(o *observation, d *allocate.Desired, st *poolState) *applier {
	c := r.client
	c.Made = func(kind string) { st.listings.Delete(kind) }
	return &applier{
		r: r, o: o, d: d, st: st, client: c,
		nodes: nodes.New(nodes.Options{
			Namespace: r.opts.Namespace, PriorityClass: r.opts.PriorityClass, PauseImage: r.opts.PauseImage,
			Client: c, Clock: r.opts.Clock,
		}),
		images:  images.New(images.Options{PriorityClass: r.opts.PriorityClass, Client: c, Clock: r.opts.Clock}),
		weights: weights.New(c, r.opts.Clock),
	}
}

// apply returns what came of the work for each Forecast, by its key, and of what is for no selected
// Forecast. What fails for one Forecast does not keep the others from being warmed. What a Forecast
// held is released after its successor's work, and only if that succeeded.
func (a *applier) apply(ctx context.Context) (outcomes map[string]*outcome, rest *outcome) {
	outcomes, rest = map[string]*outcome{}, &outcome{}
	rest.settleRemoval("removal of what an earlier release made", a.removeOutdated(ctx))
	for _, w := range a.d.Works {
		out := newOutcome(w)
		outcomes[w.Key] = out
		switch {
		case w.Err != nil:
			a.keep(ctx, w, out)
		case w.Holds():
			a.warm(ctx, w, out)
		}
	}
	for _, w := range a.d.Works {
		out := outcomes[w.Key]
		switch {
		case w.Err != nil || w.Holds():
		case w.Target != nil:
			out.settleRemoval("removal of what was warmed"+out.of, a.handOver(ctx, w, outcomes))
			out.settleFor(aboutWeights, "weights"+out.of, a.load(ctx, w, out))
		default:
			err := errors.Join(a.handOver(ctx, w, outcomes), a.weights.ReleaseOthers(ctx, a.loadOf(w), ""))
			out.released = err == nil && !a.awaits(w, outcomes)
			out.settleRemoval("removal of what was warmed"+out.of, err)
		}
	}
	rest.settleRemoval("removal of what was warmed for Forecasts that are not selected any more", a.prune(ctx))
	return outcomes, rest
}

// warm does all for a Forecast that holds for its target. A stage that fails does not keep the
// others from being warmed.
func (a *applier) warm(ctx context.Context, w *allocate.Work, out *outcome) {
	switch {
	case a.o.Unlimited():
		out.fails(aboutNodes, reasonNoLimits, noLimits)
	case w.Hold.Limited:
		out.note(fmt.Sprintf("%s leaves room for %d of the %d replicas that are to be held for",
			w.Hold.LimitedBy, w.Hold.Replicas, w.Need.Nodes))
	}
	if w.Pull.LeftOut > 0 {
		out.note(fmt.Sprintf("spec.images.maxNodes, or the administrator's cap (the flag --warm-max-image-nodes of serve), "+
			"leaves %d nodes without the image", w.Pull.LeftOut))
	}
	if w.Hold.Missing != "" {
		out.missing(aboutNodes, "spec.nodes.policy", w.Hold.Missing)
	}
	err := a.hold(ctx, w, out)
	out.holds = out.holds && err == nil
	out.settleFor(aboutNodes, "nodes"+out.of, err)
	out.settleFor(aboutImages, "images"+out.of, a.pull(ctx, w, out))
	out.settleFor(aboutWeights, "weights"+out.of, a.load(ctx, w, out))
}

// holdOf returns what is to be held for a Forecast, and what is there.
func (a *applier) holdOf(w *allocate.Work, replicas int) nodes.Hold {
	target := w.SeenTarget()
	if target != nil && target.FromRequest {
		target = nil
	}
	return nodes.Hold{
		Pool: a.o.Pool, Forecast: w.Forecast.Name, Target: target, Replicas: replicas, Nodes: a.o.cluster,
		Placeholders: w.Hold.Placeholders, Objects: a.o.of(w.Key).Objects,
		Failures: a.st.failures(allocate.KeyOf(w.Forecast), a.r.opts.Clock),
	}
}

// hold holds nodes.
func (a *applier) hold(ctx context.Context, w *allocate.Work, out *outcome) error {
	if w.Hold.Err != nil {
		return w.Hold.Err
	}
	out.holds = true
	by, replicas := w.Hold.By, w.Hold.Replicas
	if !a.o.Acts() {
		by, replicas = v1alpha1.WarmNodesOff, 0
	}
	h := a.holdOf(w, replicas)
	if allocate.ByAutoscaler(by) {
		return a.holdByAutoscaler(ctx, w, by, h, out)
	}
	key := w.Key + "/placeholders"
	h.Denied = a.st.denied.Recent(key)
	released := a.nodes.ReleaseRequests(ctx, h, by)
	result, err := a.nodes.By(by).Ensure(ctx, h)
	if h.Denied != nil && err == nil {
		err = h.Denied
	} else {
		a.st.denied.Note(key, err)
	}
	out.placeholders = result.Placeholders
	err = out.denied(aboutNodes, "placeholders", err)
	out.fails(aboutNodes, result.Reason, result.Problem)
	return errors.Join(released, err)
}

// holdByAutoscaler has the cluster's autoscaler hold nodes, and removes what else holds them.
func (a *applier) holdByAutoscaler(
	ctx context.Context, w *allocate.Work, by v1alpha1.WarmNodesPolicy, h nodes.Hold, out *outcome,
) error {
	out.byAutoscaler = true
	key := w.Key + "/" + string(by)
	err := a.st.denied.Recent(key)
	if err == nil {
		err = errors.Join(a.o.kinds[string(by)].err, a.o.kinds["PodTemplate"].err)
		if err == nil {
			var result nodes.Result
			result, err = a.nodes.By(by).Ensure(ctx, h)
			out.unmet = result.Unmet
			out.fails(aboutNodes, result.Reason, result.Problem)
		}
		a.st.denied.Note(key, err)
	}
	out.holds = err == nil
	if kube.IsAbsent(err) { // since it was listed: the next look holds in another way
		a.r.apis.Gone(kindOfPolicy[by])
		out.byAutoscaler = false
		return nil
	}
	if err := out.denied(aboutNodes, string(by), err); err != nil {
		return err
	}
	return errors.Join(a.nodes.ReleasePlaceholders(ctx, h), a.nodes.ReleaseRequests(ctx, h, by))
}

// pullOf returns what is to be pulled for a Forecast, and what is there.
func (a *applier) pullOf(w *allocate.Work) images.Pull {
	p := images.Pull{
		Pool: a.o.Pool, Forecast: w.Forecast.Name, Target: w.Target, Nodes: w.Pull.Nodes, Cluster: a.o.cluster,
		Parallel: w.Pull.Parallel, Pods: w.Pull.Pods, Job: a.o.of(w.Key).pullJob,
		Quotas: a.o.Quotas, QuotasErr: a.o.quotasErr,
	}
	if w.Holds() {
		p.History = a.st.history(w, a.r.opts.Clock)
	}
	return p
}

// pull has the image pulled onto the nodes that the plan will use.
func (a *applier) pull(ctx context.Context, w *allocate.Work, out *outcome) error {
	if w.Pull.Err != nil {
		return w.Pull.Err
	}
	if w.Pull.Missing {
		out.missing(aboutImages, "spec.images.policy", string(v1alpha1.WarmImagesImagePullJob))
	}
	p, by, key := a.pullOf(w), w.Pull.By, w.Key+"/images"
	out.history = p.History
	if denied := a.st.denied.Recent(key); denied != nil {
		return out.denied(aboutImages, "image pulls", denied)
	}
	if by == v1alpha1.WarmImagesOff || !a.o.Acts() {
		delete(a.st.pulls, allocate.KeyOf(w.Forecast))
		out.history = nil
		err := a.images.Release(ctx, p)
		a.st.denied.Note(key, err)
		return out.denied(aboutImages, "image pulls", err)
	}
	if by == v1alpha1.WarmImagesPods {
		released := a.images.By(v1alpha1.WarmImagesImagePullJob).Release(ctx, p)
		problem, err := a.images.By(by).Ensure(ctx, p)
		a.st.denied.Note(key, err)
		out.fails(aboutPulls, reasonPullFails, problem)
		return errors.Join(released, out.denied(aboutImages, "image pulls", err))
	}
	problem, err := "", a.o.kinds[kube.ImagePullJob.Kind].err
	if err == nil {
		problem, err = a.images.By(by).Ensure(ctx, p)
	}
	a.st.denied.Note(key, err)
	if kube.IsAbsent(err) { // since it was listed: the next look pulls in another way
		a.r.apis.Gone(kube.ImagePullJob)
		return nil
	}
	out.fails(aboutPulls, reasonPullFails, problem)
	if err := out.denied(aboutImages, "ImagePullJob", err); err != nil {
		return err
	}
	return a.images.By(v1alpha1.WarmImagesPods).Release(ctx, p)
}

// loadOf returns which weights are to be loaded for a Forecast, and what is there.
func (a *applier) loadOf(w *allocate.Work) weights.Load {
	m := a.o.of(w.Key)
	l := weights.Load{
		Pool: a.o.Pool, Forecast: w.Forecast.Name, Target: w.Target, Spec: w.Weights, Wanted: w.Load,
		Replicas: w.Need.Weights, Acts: a.o.Acts(), Job: m.job, DataLoad: m.dataLoad,
	}
	if w.Weights != nil {
		l.ModelCache = a.o.caches[w.Weights.LocalModelCache].u
	}
	return l
}

// load has the weights loaded before the nodes are asked for.
func (a *applier) load(ctx context.Context, w *allocate.Work, out *outcome) error {
	l := a.loadOf(w)
	if l.Spec == nil {
		return a.weights.ReleaseOthers(ctx, l, "")
	}
	by := weights.By(l.Spec)
	key := w.Key + "/" + by
	var result weights.Result
	err := a.st.denied.Recent(key)
	if err == nil {
		if err = a.loadErr(by, l.Spec); err == nil {
			result, err = a.weights.By(by).Ensure(ctx, l)
		}
		a.st.denied.Note(key, err)
	}
	out.weights = result.State
	if result.State == "" && w.Before.WeightsBy == by {
		out.weights = w.Before.Weights // as far as is known
	}
	if kube.IsAbsent(err) {
		if gvk, optional := kindOfLoad[by]; optional {
			a.r.apis.Gone(gvk)
		}
		out.missing(aboutWeights, "spec.weights", by)
		out.weights = weights.Failed
		return nil
	}
	out.loads = true
	out.fails(aboutWeights, reasonLoadFails, result.Problem)
	if err := out.denied(aboutWeights, by, err); err != nil {
		return err
	}
	return a.weights.ReleaseOthers(ctx, l, by)
}

// loadErr returns why it is not known what loads weights.
func (a *applier) loadErr(by string, spec *v1alpha1.WarmWeights) error {
	if by == weights.ByModelCache {
		return a.o.caches[spec.LocalModelCache].err
	}
	l := a.o.kinds[by]
	if gvk, optional := kindOfLoad[by]; optional && !l.served {
		return kube.Absent(gvk)
	}
	return l.err
}

// awaits reports whether what is held for a Forecast stays until its successor holds.
func (a *applier) awaits(w *allocate.Work, outcomes map[string]*outcome) bool {
	s := w.Successor
	return s != nil && !outcomes[s.Key].holds && s.Need.Nodes > 0
}

// handOver releases nodes and images that are held for a Forecast, once its successor, where there
// is one, holds what is still wanted of it.
func (a *applier) handOver(ctx context.Context, w *allocate.Work, outcomes map[string]*outcome) error {
	if a.awaits(w, outcomes) {
		return nil
	}
	return a.release(ctx, w)
}

// release releases the nodes and images that are held for a Forecast.
func (a *applier) release(ctx context.Context, w *allocate.Work) error {
	return errors.Join(a.nodes.Release(ctx, a.holdOf(w, 0)), a.images.Release(ctx, a.pullOf(w)))
}

// keep keeps what is held for a Forecast whose target cannot be read. What spec does not allow any
// more is released, and placeholders that ended by themselves are replaced where it is known what
// they are like.
func (a *applier) keep(ctx context.Context, w *allocate.Work, out *outcome) {
	var errs []error
	h, p := a.holdOf(w, 0), a.pullOf(w)
	switch {
	case !a.o.Acts():
		errs = append(errs, a.release(ctx, w))
	case a.o.Pool.Spec.Nodes.Policy == v1alpha1.WarmNodesOff, a.o.Unlimited():
		errs = append(errs, a.nodes.Release(ctx, h))
	default:
		errs = append(errs, a.nodes.ReplaceEnded(ctx, h))
	}
	if a.o.Acts() && a.o.Pool.Spec.Images.Policy == v1alpha1.WarmImagesOff {
		errs = append(errs, a.images.Release(ctx, p))
	}
	out.settleRemoval("removal of what was warmed"+out.of, errors.Join(errs...))
	out.placeholders = allocate.Alive(w.Hold.Placeholders)
	out.add(aboutNodes, "the target"+out.of, "what is held for it stays", w.Err, true)
}

// prune deletes what was made for Forecasts that are not selected any more.
func (a *applier) prune(ctx context.Context) error {
	errs := []error{a.client.Deleter.Pods(ctx, a.d.Orphans), a.o.notListed()}
	selected := map[string]bool{}
	for _, w := range a.d.Works {
		selected[w.Key] = true
	}
	kinds, _ := kindsOf(a.o.Pool)
	for _, k := range kinds {
		for _, obj := range a.o.kinds[k.name].objects {
			if !selected[keyOf(obj)] {
				errs = append(errs, a.client.Deleter.Object(ctx, obj))
			}
		}
	}
	return errors.Join(errs...)
}
