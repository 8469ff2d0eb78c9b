package gpuwarm

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Shape is what a pod requires of a node: resources, and constraints on the node. Make one with
// [ShapeOf].
type Shape struct {
	// Requests of the whole pod, including 1 of the resource "pods".
	Requests     corev1.ResourceList
	selector     map[string]string
	affinity     *corev1.NodeSelector
	tolerations  []corev1.Toleration
	runtimeClass string // it may add selectors and tolerations
}

// ShapeOf returns the shape of a pod.
func ShapeOf(spec *corev1.PodSpec) Shape {
	s := Shape{Requests: requestsOf(spec), selector: spec.NodeSelector, tolerations: spec.Tolerations}
	s.Requests[corev1.ResourcePods] = resource.MustParse("1")
	if spec.RuntimeClassName != nil {
		s.runtimeClass = *spec.RuntimeClassName
	}
	if a := spec.Affinity; a != nil && a.NodeAffinity != nil {
		s.affinity = a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return s
}

// requestsOf returns the requests that the scheduler counts. They are the sum over containers and
// sidecars, or an init container with the sidecars before it when that is more. Requests of the pod
// as a whole replace that. The overhead comes on top.
func requestsOf(spec *corev1.PodSpec) corev1.ResourceList {
	total, init, sidecars := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	for _, c := range spec.InitContainers {
		r := containerRequests(&c)
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(sidecars, r)
			r = corev1.ResourceList{}
		}
		add(r, sidecars)
		maximum(init, r)
	}
	for i := range spec.Containers {
		add(total, containerRequests(&spec.Containers[i]))
	}
	add(total, sidecars)
	maximum(total, init)
	if spec.Resources != nil {
		for name, q := range spec.Resources.Requests {
			total[name] = q.DeepCopy()
		}
	}
	add(total, spec.Overhead)
	return total
}

// containerRequests returns the requests of a container. A limit without a request counts as the
// request: the API server sets it so in pods, but not in pod templates.
func containerRequests(c *corev1.Container) corev1.ResourceList {
	out := corev1.ResourceList{}
	for name, q := range c.Resources.Limits {
		out[name] = q.DeepCopy()
	}
	for name, q := range c.Resources.Requests {
		out[name] = q.DeepCopy()
	}
	return out
}

// ScarceResource returns the scarce resource of a node, and how much of it a pod takes: the
// accelerator, or "pods" when the pod has none.
func (s Shape) ScarceResource() (corev1.ResourceName, float64) {
	list := s.Requests.DeepCopy()
	name, q := acceleratorOf(&corev1.Container{Resources: corev1.ResourceRequirements{Requests: list}})
	if name == "" {
		return corev1.ResourcePods, 1
	}
	return corev1.ResourceName(name), q.AsApproximateFloat64()
}

// Extended returns the extended resources that a pod takes, such as accelerators, by name.
func (s Shape) Extended() []corev1.ResourceName {
	var out []corev1.ResourceName
	for name, q := range s.Requests {
		if isExtended(name) && !q.IsZero() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Pool is equal for shapes that can take each other's place on a node. They have the same
// constraints, and the same kind of accelerator, in any amount. Without an accelerator they have
// the same requests.
func (s Shape) Pool() string {
	name, _ := s.ScarceResource()
	var text strings.Builder
	fmt.Fprint(&text, name, s.selector, s.tolerations, s.affinity.String(), s.runtimeClass)
	if name == corev1.ResourcePods {
		names := slices.Sorted(maps.Keys(s.Requests))
		for _, n := range names {
			q := s.Requests[n]
			fmt.Fprint(&text, n, "=", q.String(), " ")
		}
	}
	return text.String()
}

// add adds from to to.
func add(to, from corev1.ResourceList) {
	for name, q := range from {
		sum := to[name].DeepCopy()
		sum.Add(q)
		to[name] = sum
	}
}

// maximum raises each resource of to at least to that of from.
func maximum(to, from corev1.ResourceList) {
	for name, q := range from {
		if have, ok := to[name]; !ok || q.Cmp(have) > 0 {
			to[name] = q.DeepCopy()
		}
	}
}

// Admits reports whether a node may have pods of this shape: it is Ready and schedulable, and
// satisfies node selector, affinity and tolerations. For free capacity see [Shape.Room].
func (s Shape) Admits(node *corev1.Node) bool {
	if node.Spec.Unschedulable || !nodeReady(node) {
		return false
	}
	for k, v := range s.selector {
		if got, ok := node.Labels[k]; !ok || got != v {
			return false
		}
	}
	return s.matchesAffinity(node) && s.tolerates(node)
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (s Shape) matchesAffinity(node *corev1.Node) bool {
	if s.affinity == nil {
		return true
	}
	for _, term := range s.affinity.NodeSelectorTerms {
		if termMatches(term, node) {
			return true
		}
	}
	return false
}

func termMatches(term corev1.NodeSelectorTerm, node *corev1.Node) bool {
	if len(term.MatchExpressions)+len(term.MatchFields) == 0 {
		return false
	}
	fields := labels.Set{"metadata.name": node.Name}
	return allMatch(term.MatchExpressions, labels.Set(node.Labels)) && allMatch(term.MatchFields, fields)
}

var selectionOf = map[corev1.NodeSelectorOperator]selection.Operator{
	corev1.NodeSelectorOpIn: selection.In, corev1.NodeSelectorOpNotIn: selection.NotIn,
	corev1.NodeSelectorOpExists: selection.Exists, corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
	corev1.NodeSelectorOpGt: selection.GreaterThan, corev1.NodeSelectorOpLt: selection.LessThan,
}

func allMatch(requirements []corev1.NodeSelectorRequirement, set labels.Set) bool {
	for _, r := range requirements {
		if r.Key == "metadata.name" { // a field, not a label
			found := false
			for _, v := range r.Values {
				found = found || v == set[r.Key]
			}
			if found != (r.Operator == corev1.NodeSelectorOpIn) {
				return false
			}
			continue
		}
		req, err := labels.NewRequirement(r.Key, selectionOf[r.Operator], r.Values)
		if err != nil || !req.Matches(set) {
			return false
		}
	}
	return true
}

func (s Shape) tolerates(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		ok := false
		for _, t := range s.tolerations {
			key := t.Key == taint.Key || (t.Key == "" && t.Operator == corev1.TolerationOpExists)
			value := t.Operator == corev1.TolerationOpExists || t.Value == taint.Value
			ok = ok || (key && value && (t.Effect == "" || t.Effect == taint.Effect))
		}
		if !ok {
			return false
		}
	}
	return true
}

// Room is how many pods of this shape fit into the free resources; 0 for a shape without requests.
func (s Shape) Room(free corev1.ResourceList) int {
	room := math.MaxInt32
	for name, want := range s.Requests {
		if want.Sign() <= 0 {
			continue
		}
		have := free[name]
		room = min(room, wholeQuotient(have, want))
	}
	if room == math.MaxInt32 {
		return 0
	}
	return max(0, room)
}

// wholeQuotient is how many times part fits into whole. Quantities are decimal, so a quotient that
// is a whole number up to the precision of a float64 counts as one.
func wholeQuotient(whole, part resource.Quantity) int {
	return int(math.Floor(whole.AsApproximateFloat64()/part.AsApproximateFloat64() + 1e-9))
}

// FreeResources returns the free resources of each node, by its name. Pods that have ended take
// nothing, nor do those for which ignore is true. ignore may be nil. A pod that merely names a node
// takes nothing either: anybody can write that, and the kubelet rejects it where there is no room.
func FreeResources(
	nodes []corev1.Node, pods []corev1.Pod, ignore func(*corev1.Pod) bool,
) map[string]corev1.ResourceList {
	free := make(map[string]corev1.ResourceList, len(nodes))
	for i := range nodes {
		free[nodes[i].Name] = nodes[i].Status.Allocatable.DeepCopy()
	}
	one := resource.MustParse("1")
	for i := range pods {
		p := &pods[i]
		left, ok := free[p.Spec.NodeName]
		ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if !ok || ended || isUnconfirmed(p) || (ignore != nil && ignore(p)) {
			continue
		}
		used := requestsOf(&p.Spec)
		used[corev1.ResourcePods] = one
		for name, q := range used {
			if have, ok := left[name]; ok {
				have.Sub(q)
				left[name] = have
			}
		}
	}
	return free
}

// isUnconfirmed reports whether neither the scheduler nor the kubelet says that a pod is on its
// node.
func isUnconfirmed(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodPending && !slices.ContainsFunc(p.Status.Conditions,
		func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue
		})
}

// Capacity is how many more replicas a service can have.
type Capacity struct {
	// Fits is how many more replicas fit on the existing nodes.
	Fits int
	// Grows is true when nodes are added on demand.
	Grows bool
	// Pool is how many replicas the node pool holds at its maximum size; 0 when that is not known.
	Pool int
	// Quota is how many more replicas the namespace's quotas allow; negative without a quota.
	Quota int
}

// MaxReplicas returns the largest number of replicas that can exist, the existing ones included,
// and what bounds it: "nodes", "pool" or "quota". ok is false when nothing known bounds it.
func (c Capacity) MaxReplicas(replicas int) (most int, bound string, ok bool) {
	most = math.MaxInt32
	switch {
	case !c.Grows:
		most, bound = replicas+c.Fits, "nodes"
	case c.Pool > 0:
		most, bound = max(c.Pool, replicas+c.Fits), "pool"
	}
	if c.Quota >= 0 && replicas+c.Quota < most {
		most, bound = replicas+c.Quota, "quota"
	}
	return most, bound, bound != ""
}
