package warmer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

const (
	annotationNodes = "headstart.dev/nodes-hash"
	labelNode       = "headstart.dev/node-hash"
	labelImage      = "headstart.dev/image-hash"
	// pullDeadline is after how many seconds a pull is given up on.
	pullDeadline = 1800
	// retryPull is how long after a pull that came to nothing it is tried again.
	retryPull = 10 * time.Minute
	// listed is how many images a kubelet lists; on a node that lists as many the image may be there unlisted.
	listed = 50
)

// pulling is how the images of one Forecast stand.
type pulling struct {
	nodes   int    // that are to have it
	ready   int    // that do
	failure string // of a pull, for people; empty where none fails
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
			room = t.shape.Room(free[n.Name])
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

// pullPods pulls by pods of our own, one per node, a few at a time. have are those that there are for this Forecast. nodes is nil to pull nothing.
func (r *Reconciler) pullPods(ctx context.Context, pool *v1alpha1.WarmPool, fc string, t *target, nodes []*corev1.Node, have []corev1.Pod) (pulling, error) {
	out := pulling{nodes: len(nodes)}
	byNode, stale := map[string]*corev1.Pod{}, []*corev1.Pod(nil)
	for i := range have {
		p := &have[i]
		if t != nil && p.Labels[labelImage] == hash(t.image) && p.DeletionTimestamp == nil {
			byNode[p.Labels[labelNode]] = p
		} else {
			stale = append(stale, p)
		}
	}
	active := 0
	var missing []*corev1.Node
	for _, n := range nodes {
		p := byNode[hash(n.Name)]
		delete(byNode, hash(n.Name))
		state := pullState(n, p, t.image)
		switch {
		case state == pullDone:
			out.ready++
		case p == nil:
			missing = append(missing, n)
		case state == pullFailed && out.failure == "":
			out.failure = fmt.Sprintf("the image %s is not pulled onto node %s: %s", t.image, n.Name, pullReason(p))
		}
		if p == nil {
			continue
		}
		if r.over(n, p, t.image) {
			stale = append(stale, p)
		} else if alive(p) && state != pullDone {
			active++ // where it fails the kubelet tries on, ever more slowly
		}
	}
	stale = slices.AppendSeq(stale, maps.Values(byNode)) // of nodes that the plan does not use any more
	if err := r.dropAll(ctx, stale); err != nil {
		return out, err
	}
	return out, r.pullOnto(ctx, pool, fc, t, missing[:min(len(missing), max(0, parallelism(pool)-active))])
}

func (r *Reconciler) dropAll(ctx context.Context, pods []*corev1.Pod) error {
	for _, p := range pods {
		if err := r.drop(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// over is whether a pull pod has done what it can: the node lists the image, or it ended a while ago without that.
func (r *Reconciler) over(n *corev1.Node, p *corev1.Pod, image string) bool {
	if gpuwarm.HasImage(n, image) {
		return true
	}
	return !alive(p) && r.opts.Clock.Since(p.CreationTimestamp.Time) >= retryPull
}

func (r *Reconciler) pullOnto(ctx context.Context, pool *v1alpha1.WarmPool, fc string, t *target, nodes []*corev1.Node) error {
	for _, n := range nodes {
		p, err := r.pullPod(pool, fc, t, n.Name)
		if err != nil {
			return err
		}
		if err := r.opts.Client.Create(ctx, p); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

type pullProgress int

const (
	pullGoing pullProgress = iota
	pullDone
	pullFailed
)

// pullState is how a pull stands. The image is there once the node lists it; or, on a node that lists no more than its largest fifty, once a container
// was made of it. What the container does then is of no interest: the image may have nothing to run that does nothing.
func pullState(n *corev1.Node, p *corev1.Pod, image string) pullProgress {
	if gpuwarm.HasImage(n, image) {
		return pullDone
	}
	if p == nil {
		return pullGoing
	}
	made := false
	for _, c := range p.Status.ContainerStatuses {
		made = made || (c.ImageID != "" && c.State.Waiting == nil)
	}
	switch {
	case made && len(n.Status.Images) >= listed:
		return pullDone
	case made:
		return pullGoing // until the node lists it
	case p.Status.Phase == corev1.PodFailed || pullReason(p) != "":
		return pullFailed
	}
	return pullGoing
}

// pullReason is why a pull does not get on; empty while it does.
func pullReason(p *corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil {
			switch w.Reason {
			case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "SignatureValidationFailed":
				return w.Reason
			}
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return cmp.Or(p.Status.Reason, "Failed")
	}
	return ""
}

// pullPod is a pod on one node that asks for nothing, has the target's image pulled with the target's credentials, and ends.
func (r *Reconciler) pullPod(pool *v1alpha1.WarmPool, fc string, t *target, node string) (*corev1.Pod, error) {
	zero, seconds, no, yes, user := int64(0), int64(pullDeadline), false, true, int64(65534)
	spec := t.template.Spec
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pool.Namespace, Name: "pull-" + hash(pool.Namespace, pool.Name, fc, t.image, node)},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "pull", Image: t.image, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"true"},
				Env: []corev1.EnvVar{{Name: "NVIDIA_VISIBLE_DEVICES", Value: "void"}},
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
	p.Labels[labelRole], p.Labels[labelNode], p.Labels[labelImage] = rolePull, hash(node), hash(t.image)
	return p, nil
}
