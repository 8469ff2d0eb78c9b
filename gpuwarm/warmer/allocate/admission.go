package allocate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Admission is what admission makes of the image in a target's template, as far as pods show it. A
// webhook may replace the registry by a mirror, or the tag by a digest. Nodes then list the image
// under that name. Empty is unknown.
type Admission struct {
	Replica  string // what the newest replica has
	Pull     string // what the newest pull pod has that named the template's image
	Digest   string // what the newest pull of DigestOf was resolved to, as repository and digest
	DigestOf string
}

// ImageKey names an image of a target.
type ImageKey struct {
	Target TargetKey
	Image  string
}

// admitImages has targets go by the image that their replicas get, and returns what is known of
// images now. What was seen before still counts: pull pods are deleted, and rollouts hide replicas.
// After a restart replicas or the first pull pod show it again.
func admitImages(s *Snapshot, works []*Work, before map[ImageKey]Admission) map[ImageKey]Admission {
	now := map[ImageKey]Admission{}
	for _, w := range works {
		t := w.SeenTarget()
		if t == nil {
			continue
		}
		if w.Target == nil || w.Stale != nil {
			t.Made = 0 // the template may be another one by now
		}
		key := ImageKey{KeyOf(w.Forecast), t.Image}
		a, known := now[key]
		if !known {
			a = before[key].update(s, t)
			now[key] = a
		}
		t.admit(a)
	}
	return now
}

// addOverheads has targets count with what admission adds for their runtime class, and returns what
// is known of that now. The newest pod of the class shows it, since templates need not have it: one
// of the namespace or a placeholder, for other tenants' pods decide nothing here. It stays known
// without such a pod: what limits leave room for would else change with each placeholder that comes
// and goes.
func addOverheads(s *Snapshot, works []*Work, before map[string]corev1.ResourceList) map[string]corev1.ResourceList {
	now := map[string]corev1.ResourceList{}
	maps.Copy(now, before)
	newest := map[string]*corev1.Pod{}
	for i := range s.Pods {
		p := &s.Pods[i]
		if p.Spec.RuntimeClassName != nil && (p.Namespace == s.Pool.Namespace || s.isAnyPlaceholder(p)) {
			newest[*p.Spec.RuntimeClassName] = newerPod(newest[*p.Spec.RuntimeClassName], p)
		}
	}
	for class, p := range newest {
		now[class] = p.Spec.Overhead
	}
	for _, w := range works {
		t := w.SeenTarget()
		if t == nil || t.Template.Spec.RuntimeClassName == nil || t.Template.Spec.Overhead != nil {
			continue
		}
		spec := t.Template.Spec
		spec.Overhead = now[*spec.RuntimeClassName]
		t.Shape = gpuwarm.ShapeOf(&spec)
	}
	return now
}

// update adds what pods show now.
func (a Admission) update(s *Snapshot, t *Target) Admission {
	main := gpuwarm.MainContainer(t.Template.Annotations, &t.Template.Spec)
	if main == nil {
		return a
	}
	var replica, pull *corev1.Pod
	var pulls []*corev1.Pod
	for i := range s.Pods {
		p := &s.Pods[i]
		switch {
		case p.Namespace != t.Namespace:
		case s.isAnyPull(p):
			pulls = append(pulls, p)
			if p.Labels[names.LabelImage] == names.Hash(t.Image) {
				pull = newerPod(pull, p)
			}
		case t.isUniform() && t.IsReplica(p):
			replica = newerPod(replica, p)
		}
	}
	if image := kube.ImageIn(replica, main.Name); image != "" && gpuwarm.Rewritten(t.Image, image) {
		a.Replica = image
	}
	a.Pull = cmp.Or(kube.ImageIn(pull, names.PullContainer), a.Pull)
	if a.Pull == "" && a.Replica != "" && slices.ContainsFunc(pulls, a.namesReplicasImage) {
		a.Pull = t.Image // pull pods that named the template's image did not get the replicas'
	}
	return a.resolved(pulls, t.Image)
}

// namesReplicasImage reports whether a pull pod named the image that replicas get, and got it.
// After a restart only such pods show that a webhook leaves pull pods as they are.
func (a Admission) namesReplicasImage(p *corev1.Pod) bool {
	return p.Labels[names.LabelImage] == names.Hash(a.Replica) && kube.ImageIn(p, names.PullContainer) == a.Replica
}

// resolved notes the digest that the newest pull of the image was resolved to. A runtime that gets
// images from another registry lists them under another name, and by that digest.
func (a Admission) resolved(pulls []*corev1.Pod, image string) Admission {
	if want := a.image(image); a.DigestOf != want {
		a.DigestOf, a.Digest = want, ""
	}
	var last *corev1.Pod
	for _, p := range pulls {
		if kube.ImageIn(p, names.PullContainer) == a.DigestOf && digestIn(p) != "" {
			last = newerPod(last, p)
		}
	}
	a.Digest = cmp.Or(digestIn(last), a.Digest)
	return a
}

// image returns the image that replicas get where the template names another.
func (a Admission) image(inTemplate string) string { return cmp.Or(a.Replica, a.Pull, inTemplate) }

// admit sets the images of a target.
func (t *Target) admit(a Admission) {
	t.Admitted, t.PullImage = a.image(t.Image), t.Image
	if a.Pull != "" && a.Pull != t.Admitted {
		t.PullImage = t.Admitted // a webhook treats pull pods and replicas differently
	}
	t.Known = gpuwarm.ImageOf(t.Admitted, a.Digest)
}

// newerPod returns the pod that was made last. The first may be nil.
func newerPod(a, b *corev1.Pod) *corev1.Pod {
	if a == nil ||
		cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name)) > 0 {
		return b
	}
	return a
}

// digestIn returns the repository and digest that a pull was resolved to; empty where that is not
// known.
func digestIn(p *corev1.Pod) string {
	if p == nil {
		return ""
	}
	id := kube.PullStatus(p).ImageID
	if !strings.Contains(id, "@") {
		return ""
	}
	return strings.TrimPrefix(id, "docker-pullable://")
}
