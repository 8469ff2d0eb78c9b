package warmer

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/gpuwarm"
)

// pullContainer pulls the image in a pull pod. Admission may have added others.
const pullContainer = "pull"

// admission is what admission makes of the image in a target's template, as far as pods show it. A webhook may have images come from a mirror, or pin them by digest: what nodes
// list then is what became of the name. Empty is what is not known.
type admission struct {
	replica string // what the newest replica has
	pull    string // what the newest pull pod has that asked for the template's
	digest  string // what the newest pull of the image to be had came to, as repository and digest
	of      string // the image that this was
}

// admissionKey names what becomes of an image for one target of a WarmPool.
type admissionKey struct {
	target targetKey
	image  string
}

// admit has targets go by the image that their replicas come to have. What was seen counts on: pull pods are removed, and rollouts hide replicas. After a restart it is seen again, on
// replicas or on the first pull pod.
func (r *Reconciler) admit(l *look, jobs []*job) {
	pool := client.ObjectKeyFromObject(l.pool)
	before, now := r.admitted[pool], map[admissionKey]admission{}
	for _, j := range jobs {
		t := j.seen()
		if t == nil {
			continue
		}
		if j.target == nil || j.stale != nil {
			t.made = 0 // by now that may be another template
		}
		key := admissionKey{keyOf(j), t.image}
		a, known := now[key]
		if !known {
			a = before[key].seen(l.pods, t)
			now[key] = a
		}
		t.admit(a)
		r.addOverhead(l, t)
	}
	r.admitted[pool] = now
}

// addOverhead has a target's replicas and placeholders count with what admission adds for their runtime class, as the newest pod of the class shows it: templates need not have it. It is
// known on once no such pod is left, or what limits leave room for would change with each placeholder that comes and goes.
func (r *Reconciler) addOverhead(l *look, t *target) {
	spec := t.template.Spec
	if spec.RuntimeClassName == nil || spec.Overhead != nil {
		return
	}
	class := *spec.RuntimeClassName
	var last *corev1.Pod
	for i := range l.pods {
		if p := &l.pods[i]; p.Spec.RuntimeClassName != nil && *p.Spec.RuntimeClassName == class {
			last = newer(last, p)
		}
	}
	if last != nil {
		r.overheads[class] = last.Spec.Overhead
	}
	spec.Overhead = r.overheads[class]
	t.shape = gpuwarm.ShapeOf(&spec)
}

// seen is what is known with what pods show now.
func (a admission) seen(pods []corev1.Pod, t *target) admission {
	main := gpuwarm.MainContainer(t.template.Annotations, &t.template.Spec)
	if main == nil {
		return a
	}
	var replica, pull *corev1.Pod
	var pulls []*corev1.Pod
	for i := range pods {
		p := &pods[i]
		switch {
		case p.Namespace != t.namespace:
		case p.Labels[labelRole] == rolePull:
			pulls = append(pulls, p)
			if p.Labels[labelImage] == hash(t.image) {
				pull = newer(pull, p)
			}
		case t.uniform() && t.replica(p):
			replica = newer(replica, p)
		}
	}
	if image := imageIn(replica, main.Name); image != "" && gpuwarm.Rewritten(t.image, image) {
		a.replica = image
	}
	a.pull = cmp.Or(imageIn(pull, pullContainer), a.pull)
	if a.pull == "" && a.replica != "" && slices.ContainsFunc(pulls, a.asksForReplicas) {
		a.pull = t.image // it would not be asked for, had those that asked for the template's come to have it
	}
	a.cameTo(pulls, t.image)
	return a
}

// asksForReplicas is whether a pull pod asked for what replicas come to have, and has it. After a restart such pods are all that tells that a webhook leaves pull pods as they are.
func (a admission) asksForReplicas(p *corev1.Pod) bool {
	return p.Labels[labelImage] == hash(a.replica) && imageIn(p, pullContainer) == a.replica
}

// cameTo notes which digest the newest pull of the image came to: a runtime that looks names up elsewhere lists it under another name, and by that digest.
func (a *admission) cameTo(pulls []*corev1.Pod, asked string) {
	if want := a.image(asked); a.of != want {
		a.of, a.digest = want, ""
	}
	var last *corev1.Pod
	for _, p := range pulls {
		if imageIn(p, pullContainer) == a.of && digestIn(p) != "" {
			last = newer(last, p)
		}
	}
	a.digest = cmp.Or(digestIn(last), a.digest)
}

// image is what replicas come to have of what the template asks for.
func (a admission) image(asked string) string { return cmp.Or(a.replica, a.pull, asked) }

// admit has the target go by what is known of its image.
func (t *target) admit(a admission) {
	t.admitted, t.ask = a.image(t.image), t.image
	if a.pull != "" && a.pull != t.admitted {
		t.ask = t.admitted // a webhook tells pull pods from replicas
	}
	t.known = gpuwarm.ImageOf(t.admitted, a.digest)
}

// uniform is whether all replicas that there are were made from the template.
func (t *target) uniform() bool { return t.made > 0 && t.made == int64(t.replicas) }

// newer is the one of two pods that was made last; the first may be nil.
func newer(a, b *corev1.Pod) *corev1.Pod {
	if a == nil || cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name)) > 0 {
		return b
	}
	return a
}

// imageIn is what a container of a pod was admitted with; empty where there is no such container.
func imageIn(p *corev1.Pod, container string) string {
	if p != nil {
		for _, c := range p.Spec.Containers {
			if c.Name == container {
				return c.Image
			}
		}
	}
	return ""
}

// digestIn is what a pull came to, as repository and digest; empty where that is not known.
func digestIn(p *corev1.Pod) string {
	if p == nil {
		return ""
	}
	id := pullStatus(p).ImageID
	if !strings.Contains(id, "@") {
		return ""
	}
	return strings.TrimPrefix(id, "docker-pullable://")
}
