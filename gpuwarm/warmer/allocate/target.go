package allocate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// Target is the workload of a Forecast, as far as it matters to warming.
type Target struct {
	Ref       v1alpha1.TargetReference
	Namespace string
	Template  corev1.PodTemplateSpec
	// Selector matches the target's pods. LabelSelector is the same as the workload has it; nil where
	// it is not known.
	Selector      labels.Selector
	LabelSelector *metav1.LabelSelector
	// Shape is what a replica takes of a node, with what admission adds. See [Options.ShapeKey] for
	// ShapeKey.
	Shape    gpuwarm.Shape
	ShapeKey string
	// Image is what the template names, Admitted what replicas get once admission has changed it, and
	// PullImage what a pull pod has to name to get that. Known is Admitted by all names that nodes
	// list it under.
	Image, Admitted, PullImage string
	Known                      gpuwarm.Image
	// LeftOut says what of the target's template placeholders do not copy; empty where they copy all.
	LeftOut string
	// FromRequest reports whether the template is that of a request to the cluster's autoscaler. Who
	// may write in the namespace may have changed it, so nothing is made from it.
	FromRequest bool
	// Made is how many replicas there are, where all of them were made from the template; else 0.
	Made int64
	// Timeline is the plan, with at most MaxReplicas by the HPA.
	Timeline    gpuwarm.Timeline
	HPA         string // empty where there is none
	MaxReplicas int    // 0 where there is no bound
	// Replicas are Ready or on their way. Waiting of them have no node yet.
	Replicas, Waiting int
}

// TargetKey names a target within its namespace. Its API version does not matter.
type TargetKey struct {
	Kind schema.GroupKind
	Name string
}

// KeyOf returns the key of a Forecast's target.
func KeyOf(fc *v1alpha1.Forecast) TargetKey {
	ref := fc.Spec.TargetRef
	return TargetKey{schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind(), ref.Name}
}

// newTarget returns the target that was read, without its plan and its replicas.
func newTarget(fc *v1alpha1.Forecast, w Workload) *Target {
	t := targetOf(fc, w.Template)
	if selector, err := metav1.LabelSelectorAsSelector(w.Selector); err == nil {
		t.Selector = selector
	}
	t.LabelSelector, t.Made, t.LeftOut = w.Selector, w.Made, w.LeftOut
	return t
}

// targetOfRequest returns what is known of a target by what the cluster's autoscaler was asked
// with.
func targetOfRequest(fc *v1alpha1.Forecast, r Request) *Target {
	t := targetOf(fc, r.Template)
	t.FromRequest = true
	return t
}

// targetOf returns what is known of a target by its template alone: what its pods are like, not
// which they are.
func targetOf(fc *v1alpha1.Forecast, template *corev1.PodTemplateSpec) *Target {
	spec := &template.Spec
	return &Target{
		Ref: fc.Spec.TargetRef, Namespace: fc.Namespace, Template: *template, Selector: labels.Nothing(),
		Shape: gpuwarm.ShapeOf(spec), Image: gpuwarm.MainImage(template.Annotations, spec),
	}
}

// follow sets the plan that the target's replicas follow.
func (t *Target) follow(fc *v1alpha1.Forecast) (err error) {
	t.Timeline, err = gpuwarm.NewTimeline(*fc.Status.Plan, gpuwarm.TimelineOptions{
		Capacity: fc.Status.CapacityPerReplica.Value.AsApproximateFloat64(), MaxReplicas: t.MaxReplicas,
		Level: levelOf(fc),
	})
	return err
}

// levelOf returns the probability that the plan's values are enough: the service level, or 1 - 1/k
// at a shortage cost of k; 0 where neither is given.
func levelOf(fc *v1alpha1.Forecast) float64 {
	want := fc.Spec.ProvisionFor
	if want.ServiceLevel != nil {
		if level, err := want.ServiceLevel.Parse(); err == nil {
			return level
		}
	}
	if want.ShortageCost != nil {
		if cost, err := want.ShortageCost.Parse(); err == nil && cost > 1 {
			return 1 - 1/cost
		}
	}
	return 0
}

// count counts the replicas that there are.
func (t *Target) count(pods []corev1.Pod) {
	t.Replicas, t.Waiting = 0, 0
	for i := range pods {
		if p := &pods[i]; t.IsReplica(p) {
			t.Replicas++
			if p.Spec.NodeName == "" {
				t.Waiting++
			}
		}
	}
}

// IsReplica reports whether a pod is, or will be, a replica of the target.
func (t *Target) IsReplica(p *corev1.Pod) bool { return IsAlive(p) && t.owns(p) }

// owns reports whether a pod is the target's, ended or not.
func (t *Target) owns(p *corev1.Pod) bool {
	return p.Namespace == t.Namespace && !isPullPod(p) && t.Selector.Matches(labels.Set(p.Labels))
}

// isUniform reports whether all replicas that there are were made from the template.
func (t *Target) isUniform() bool { return t.Made > 0 && t.Made == int64(t.Replicas) }

// room returns how many replicas fit into what is free on a node: at most one where they have ports
// of the host.
func (t *Target) room(free corev1.ResourceList) int {
	room := t.Shape.Room(free)
	if t.HasHostPorts() {
		room = min(room, 1)
	}
	return room
}

// HasHostPorts reports whether replicas have ports of their node. On the network of the host all
// declared ports are the node's, although only pods say so and their templates need not. Ports of
// init containers count as long as these run beside the others.
func (t *Target) HasHostPorts() bool {
	spec := &t.Template.Spec
	has := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
			return p.HostPort > 0 || spec.HostNetwork
		})
	}
	return slices.ContainsFunc(spec.Containers, has) ||
		slices.ContainsFunc(spec.InitContainers, func(c corev1.Container) bool {
			return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways && has(c)
		})
}

// portNodes returns the nodes where replicas have the ports of the host that a target needs; nil
// where it needs none.
func (t *Target) portNodes(pods []corev1.Pod) map[string]bool {
	if !t.HasHostPorts() {
		return nil
	}
	out := map[string]bool{}
	for i := range pods {
		if p := &pods[i]; p.Spec.NodeName != "" && t.IsReplica(p) {
			out[p.Spec.NodeName] = true
		}
	}
	return out
}
