package allocate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Another Forecast can become the one that holds for a target: the first is paused or deleted, or
// one comes that is before it by name. It takes over what is held. Made again, nobody would hold it
// meanwhile, for limits leave no room for both, and nodes that are wanted would be given back.

// transferable returns the pods of a role that a Forecast can take over, by name: those of other
// Forecasts of its target that are not warmed for or leave that to it, and those of Forecasts that
// are not selected any more, whose target is not known.
func (l *ledger) transferable(to *Work, role string, matches func(*corev1.Pod) bool) []corev1.Pod {
	keeps := map[string]bool{}
	for _, w := range l.works {
		if w.Err != nil || w == to || KeyOf(w.Forecast) != KeyOf(to.Forecast) {
			keeps[w.Key] = true
		}
	}
	var out []corev1.Pod
	for i := range l.pods {
		p := &l.pods[i]
		if p.Labels[names.LabelRole] == role && IsAlive(p) && !keeps[l.ownerOf(p)] && matches(p) {
			out = append(out, *p)
		}
	}
	return out
}

// takeOverUnread has Forecasts whose targets cannot be read keep what they took over, as far as
// they held it at the last look. The labels of pods do not show that.
func (l *ledger) takeOverUnread() {
	if !l.s.Acts() {
		return
	}
	for _, w := range l.works {
		_, asked := l.s.askedFor(w)
		if w.Err == nil || asked || w.heldByAutoscaler() || w.Successor != nil {
			continue
		}
		missing := int(w.Before.Hold) - Alive(l.podsOf(w.Key, names.RolePlaceholder))
		pods := l.transferable(w, names.RolePlaceholder, func(*corev1.Pod) bool { return true })
		for _, p := range pods[:min(len(pods), max(0, missing))] {
			l.taken[p.UID] = w.Key
		}
	}
}

// planHold decides how nodes are held for a Forecast, and takes over placeholders of its shape.
func (l *ledger) planHold(w *Work) {
	w.Hold.By, w.Hold.Missing, w.Hold.Err = l.s.nodesBy()
	if w.Hold.Err != nil || w.Hold.By == v1alpha1.WarmNodesOff {
		return
	}
	w.Hold.Replicas, w.Hold.LimitedBy = l.allot(w)
	w.Hold.Limited = w.Hold.Replicas < w.Need.Nodes
}

// allot returns for how many replicas nodes may be held, and what bounds that. Placeholders that
// can be taken over count towards the limits already.
func (l *ledger) allot(w *Work) (want int, by string) {
	t := w.Target
	rank := func(p *corev1.Pod) int { return l.nodes.Rank(p, t.ShapeKey) }
	pods := l.transferable(w, names.RolePlaceholder, func(p *corev1.Pod) bool { return rank(p) < Useless })
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(rank(&a), rank(&b)) })
	for i := range pods {
		usePod(l.used, &pods[i], -1)
	}
	want, by = l.room(w, w.Need.Nodes)
	use(l.used, t.Shape.Requests, want)
	missing := max(0, want-l.nodes.Useful(l.podsOf(w.Key, names.RolePlaceholder), t.ShapeKey))
	for i := range pods {
		if i < missing && l.s.Acts() {
			l.taken[pods[i].UID] = w.Key
		} else {
			usePod(l.used, &pods[i], 1)
		}
	}
	return want, by
}

// nodesBy returns what holds nodes now, and which API that spec names is missing.
func (s *Snapshot) nodesBy() (by v1alpha1.WarmNodesPolicy, missing string, err error) {
	apis := map[v1alpha1.WarmNodesPolicy]API{
		v1alpha1.WarmNodesCapacityBuffer:      s.CapacityBuffers,
		v1alpha1.WarmNodesProvisioningRequest: s.ProvisioningRequests,
	}
	policy := s.Pool.Spec.Nodes.Policy
	switch policy {
	case v1alpha1.WarmNodesOff, v1alpha1.WarmNodesPlaceholders:
		return policy, "", nil
	case v1alpha1.WarmNodesCapacityBuffer, v1alpha1.WarmNodesProvisioningRequest:
		switch api := apis[policy]; {
		case api.Err != nil:
			return "", "", api.Err
		case !api.Served:
			return v1alpha1.WarmNodesOff, string(policy), nil
		}
		return policy, "", nil
	}
	switch {
	case s.CapacityBuffers.Err != nil:
		return "", "", s.CapacityBuffers.Err
	case s.CapacityBuffers.Served:
		return v1alpha1.WarmNodesCapacityBuffer, "", nil
	}
	return v1alpha1.WarmNodesPlaceholders, "", nil
}

// planPull decides how images are pulled for a Forecast and onto which nodes, and takes over pulls
// onto them.
func (l *ledger) planPull(w *Work) {
	w.Pull.By, w.Pull.Missing, w.Pull.Err = l.s.imagesBy()
	if w.Pull.Err != nil || w.Pull.By == v1alpha1.WarmImagesOff {
		return
	}
	t := w.Target
	free := gpuwarm.FreeResources(l.s.Nodes, l.s.Pods, func(p *corev1.Pod) bool {
		return l.s.givesWay(p) || t.owns(p)
	})
	w.Pull.Nodes = usableNodes(t, l.nodes, free, l.busy(w), w.Need.Images-t.Replicas)
	if w.Pull.By == v1alpha1.WarmImagesPods && l.s.Acts() {
		l.takeOverPulls(w)
	}
}

// imagesBy returns what pulls images now, and whether the API that spec names is missing.
func (s *Snapshot) imagesBy() (by v1alpha1.WarmImagesPolicy, missing bool, err error) {
	policy := s.Pool.Spec.Images.Policy
	switch {
	case policy == v1alpha1.WarmImagesOff, policy == v1alpha1.WarmImagesPods:
		return policy, false, nil
	case s.ImagePullJobs.Err != nil:
		return "", false, s.ImagePullJobs.Err
	case s.ImagePullJobs.Served:
		return v1alpha1.WarmImagesImagePullJob, false, nil
	case policy == v1alpha1.WarmImagesImagePullJob:
		return v1alpha1.WarmImagesOff, true, nil
	}
	return v1alpha1.WarmImagesPods, false, nil
}

// busy returns the nodes with replicas of the target, or with places held for it.
func (l *ledger) busy(w *Work) map[string]bool {
	out := map[string]bool{}
	for i := range l.s.Pods {
		p := &l.s.Pods[i]
		if p.Spec.NodeName != "" && w.Target.IsReplica(p) {
			out[p.Spec.NodeName] = true
		}
	}
	for _, p := range l.podsOf(w.Key, names.RolePlaceholder) {
		if p.Spec.NodeName != "" && IsAlive(&p) {
			out[p.Spec.NodeName] = true
		}
	}
	return out
}

// takeOverPulls takes over pulls of the image onto nodes that are to have it.
func (l *ledger) takeOverPulls(w *Work) {
	missing := map[string]bool{}
	for _, n := range w.Pull.Nodes {
		missing[names.Hash(n.Name)] = !w.Target.Known.ListedOn(n)
	}
	for _, p := range l.podsOf(w.Key, names.RolePull) {
		delete(missing, p.Labels[names.LabelNode])
	}
	image := names.Hash(w.Target.PullImage)
	for _, p := range l.transferable(w, names.RolePull, func(p *corev1.Pod) bool {
		return p.Labels[names.LabelImage] == image
	}) {
		if node := p.Labels[names.LabelNode]; missing[node] {
			l.taken[p.UID] = w.Key
			delete(missing, node)
		}
	}
}

// orphans returns the pods of the pool for Forecasts that are not selected any more, and that
// nobody took over.
func (l *ledger) orphans() []corev1.Pod {
	selected := map[string]bool{}
	for _, w := range l.works {
		selected[w.Key] = true
	}
	var out []corev1.Pod
	for i := range l.pods {
		if p := &l.pods[i]; !selected[l.ownerOf(p)] && p.DeletionTimestamp == nil {
			out = append(out, *p)
		}
	}
	return out
}
