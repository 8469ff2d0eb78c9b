package warmer

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	labelNode  = "headstart.dev/node-hash"
	labelImage = "headstart.dev/image-hash"
	// pullDeadline is after how many seconds a pull is given up on.
	pullDeadline = 1800
	// unlistedKept is how long a pull pod tells that the image is on a node that does not list it; the kubelet may have thrown it away by then.
	unlistedKept = time.Hour
	// listed is how many images a kubelet lists; on a node that lists as many the image may be there unlisted.
	listed = 50
)

// pulling is how the images of one Forecast stand.
type pulling struct {
	done    map[string]bool // nodes that have it, by name
	failure string          // of a pull, for people; empty where none fails
}

// pullPods pulls by pods of our own, one per node, a few at a time. have are those that there are for this Forecast. nodes is nil to pull nothing. One that fails, or
// finds no place, goes at once, so that another node pulls in its stead, and is tried again later.
func (r *Reconciler) pullPods(ctx context.Context, l *look, fc string, t *target, nodes []*corev1.Node, have []corev1.Pod) (pulling, error) {
	out := pulling{done: map[string]bool{}}
	if t == nil {
		delete(r.trials, trialsKey(l.pool, fc))
		return out, r.dropAll(ctx, have)
	}
	past := r.trialsOf(l, fc, t.admitted)
	past.prune(nodes, l.now)
	byNode, stale := sortPulls(have, t.ask, nodes)
	past.done = out.done
	states := make([]pullProgress, len(nodes))
	for i, n := range nodes {
		p := byNode[hash(n.Name)]
		if states[i] = pullState(n, p, t, l.now); states[i] != pullDone {
			past.lack(n, l.now)
			continue
		}
		out.done[n.Name] = true
		past.have(n, t.known.On(n), l.now)
		if p != nil {
			past.through(n.Name, p.UID)
		}
	}
	active := 0
	var missing []*corev1.Node
	for i, n := range nodes {
		p, state := byNode[hash(n.Name)], states[i]
		delete(byNode, hash(n.Name))
		switch {
		case p != nil && r.over(n, p, t, state):
			if err := r.end(ctx, past, n.Name, p, t, state); err != nil {
				return out, err
			}
		case p == nil && state != pullDone:
			missing = append(missing, n)
		case state == pullGoing:
			active++
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byNode)) { // of nodes that the plan does not use any more
		stale = append(stale, *byNode[key])
	}
	out.failure = past.failure(nodes)
	if err := r.dropAll(ctx, stale); err != nil {
		return out, err
	}
	return out, r.pullOnto(ctx, l, fc, t, past.next(missing, len(out.done) > 0, active, parallelism(l.pool), l.now))
}

// sortPulls tells the pods that asked for an image, by the hash of their node, from those that asked for another, or were made for another node of that name.
func sortPulls(have []corev1.Pod, image string, nodes []*corev1.Node) (byNode map[string]*corev1.Pod, stale []corev1.Pod) {
	byNode = map[string]*corev1.Pod{}
	came := map[string]*metav1.Time{}
	for _, n := range nodes {
		came[hash(n.Name)] = &n.CreationTimestamp
	}
	for i := range have {
		switch p := &have[i]; {
		case p.DeletionTimestamp != nil:
		case p.Labels[labelImage] == hash(image) && !p.CreationTimestamp.Before(came[p.Labels[labelNode]]):
			byNode[p.Labels[labelNode]] = p
		default:
			stale = append(stale, *p)
		}
	}
	return byNode, stale
}

// end removes a pull pod that is of no more use, and remembers how it ended. The next look makes the next one.
func (r *Reconciler) end(ctx context.Context, past *trials, node string, p *corev1.Pod, t *target, state pullProgress) error {
	if state != pullFailed {
		return r.drop(ctx, p)
	}
	now := r.opts.Clock.Now()
	why, ofImage := pullFailure(p, t.admitted, now)
	more, gone := r.explain(ctx, p)
	if gone {
		return nil // the cache is late
	}
	if more != "" {
		why += " (" + more + ")"
	}
	if err := r.drop(ctx, p); err != nil {
		return err
	}
	past.fail(node, why, ofImage, now)
	return nil
}

// explain is what the kubelet or the scheduler says about a pod that fails, or that it is gone. Caches leave it out, for it is long, and most pods' is never read.
func (r *Reconciler) explain(ctx context.Context, p *corev1.Pod) (text string, gone bool) {
	const most = 200
	var live corev1.Pod
	if err := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(p), &live); err != nil {
		return "", apierrors.IsNotFound(err)
	}
	text = live.Status.Message
	if w := pullStatus(&live).State.Waiting; w != nil {
		text = cmp.Or(text, w.Message)
	}
	for _, c := range live.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			text = cmp.Or(text, c.Message)
		}
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text, live.UID != p.UID
}

// over is whether a pull pod is of no more use: the node lists the image, the pull fails, or it ended a while ago. On a node that lists its largest images only
// it is all that tells of the pull.
func (r *Reconciler) over(n *corev1.Node, p *corev1.Pod, t *target, state pullProgress) bool {
	if t.known.On(n) || state == pullFailed {
		return true
	}
	kept := retryPull
	if state == pullDone {
		kept = unlistedKept
	}
	return !alive(p) && r.opts.Clock.Since(p.CreationTimestamp.Time) >= kept
}

func (r *Reconciler) pullOnto(ctx context.Context, l *look, fc string, t *target, nodes []*corev1.Node) error {
	for _, n := range nodes {
		p, err := r.pullPod(l, fc, t, n.Name)
		if err != nil {
			return err
		}
		err = r.opts.Client.Create(ctx, p)
		if apierrors.IsAlreadyExists(err) {
			continue // the cache is late, and what admission made of it is not known here
		}
		if err != nil {
			return err
		}
		if got := imageIn(p, pullContainer); got != t.admitted {
			return nil // what that is, and who has it already, the next look sees
		}
	}
	return nil
}

type pullProgress int

const (
	pullGoing pullProgress = iota
	pullMade               // the image is there, and the node does not list it yet
	pullDone
	pullFailed
)

// pullState is how a pull stands. The image is there once the node lists it; or, on a node that lists no more than its largest fifty, once a container
// was made of it. What the container does then is of no interest: the image may have nothing to run that does nothing.
func pullState(n *corev1.Node, p *corev1.Pod, t *target, now time.Time) pullProgress {
	if t.known.On(n) {
		return pullDone
	}
	if p == nil {
		return pullGoing
	}
	switch why, _ := pullFailure(p, t.admitted, now); {
	case pullsAnother(p, t.admitted):
		return pullFailed
	case pulled(p) && len(n.Status.Images) >= listed:
		return pullDone
	case pulled(p):
		return pullMade
	case why != "":
		return pullFailed
	}
	return pullGoing
}

// pullStatus is that of the container that pulls; empty where there is none yet.
func pullStatus(p *corev1.Pod) corev1.ContainerStatus {
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == pullContainer {
			return c
		}
	}
	return corev1.ContainerStatus{}
}

// pulled is whether the kubelet has got as far as a container, for which it needs the image.
func pulled(p *corev1.Pod) bool {
	c := pullStatus(p)
	if w := c.State.Waiting; w != nil {
		switch w.Reason {
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff":
			return true
		}
		return false
	}
	return c.ImageID != ""
}

// little is what a pull pod asks for where it must ask for something: a namespace with a quota on CPU or memory admits no pod that does not. Limits are the same, for
// one with a LimitRange on how far they may be apart. The pull itself is the kubelet's and counts towards neither. Elsewhere it asks for nothing, so that it finds a place
// beside a placeholder that takes a whole node.
func (l *look) little() corev1.ResourceRequirements {
	asks := l.unread != nil
	for i := range l.quotas {
		for name := range l.quotas[i].Spec.Hard {
			_, of, _ := strings.Cut(string(name), ".")
			asks = asks || slices.Contains([]string{"cpu", "memory"}, cmp.Or(of, string(name)))
		}
	}
	if !asks {
		return corev1.ResourceRequirements{}
	}
	little := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")}
	return corev1.ResourceRequirements{Requests: little.DeepCopy(), Limits: little}
}

// pullPod is a pod on one node that has the target's image pulled with the target's credentials, and ends.
func (r *Reconciler) pullPod(l *look, fc string, t *target, node string) (*corev1.Pod, error) {
	zero, seconds, no, yes, user := int64(0), int64(pullDeadline), false, true, int64(65534)
	pool, spec := l.pool, t.template.Spec
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pool.Namespace, Name: "pull-" + hash(pool.Namespace, pool.Name, fc, t.ask, node)},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: pullContainer, Image: t.ask, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"true"},
				Env:       []corev1.EnvVar{{Name: "NVIDIA_VISIBLE_DEVICES", Value: "void"}},
				Resources: l.little(),
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes, RunAsUser: &user, ReadOnlyRootFilesystem: &yes,
					Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
			}},
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &zero, ActiveDeadlineSeconds: &seconds,
			PriorityClassName: r.opts.PriorityClass, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			ServiceAccountName: spec.ServiceAccountName, ImagePullSecrets: spec.ImagePullSecrets, Tolerations: spec.Tolerations,
			Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
					Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node},
				}}}},
			}}},
		},
	}
	if err := r.owned(pool, fc, p); err != nil {
		return nil, err
	}
	p.Labels[labelRole], p.Labels[labelNode], p.Labels[labelImage] = rolePull, hash(node), hash(t.ask)
	return p, nil
}
