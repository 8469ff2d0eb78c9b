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

// Shape is what a pod asks of a node: resources, and which nodes may have it.
type Shape struct {
	// Requests of the whole pod, with a "pods" of 1.
	Requests corev1.ResourceList
	selector map[string]string
	affinity *corev1.NodeSelector
	tolerate []corev1.Toleration
	runtime  string // class, which may have selectors and tolerations of its own
}

// ShapeOf is the shape of a pod.
func ShapeOf(spec *corev1.PodSpec) Shape {
	s := Shape{Requests: requestsOf(spec), selector: spec.NodeSelector, tolerate: spec.Tolerations}
	s.Requests[corev1.ResourcePods] = resource.MustParse("1")
	if spec.RuntimeClassName != nil {
		s.runtime = *spec.RuntimeClassName
	}
	if a := spec.Affinity; a != nil && a.NodeAffinity != nil {
		s.affinity = a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return s
}

// requestsOf is what the scheduler counts: the containers and sidecars together, or an init container with the sidecars before it where that is
// more, or what the pod as a whole asks for, and the overhead.
func requestsOf(spec *corev1.PodSpec) corev1.ResourceList {
	total, init, sidecars := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	for _, c := range spec.InitContainers {
		r := containerRequests(&c)
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(sidecars, r)
			r = corev1.ResourceList{}
		}
		add(r, sidecars)
		most(init, r)
	}
	for i := range spec.Containers {
		add(total, containerRequests(&spec.Containers[i]))
	}
	add(total, sidecars)
	most(total, init)
	if spec.Resources != nil {
		for name, q := range spec.Resources.Requests {
			total[name] = q.DeepCopy()
		}
	}
	add(total, spec.Overhead)
	return total
}

// containerRequests are the requests; where there is only a limit the API server has made it the request of a pod, but not of a template.
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

// Scarce is the resource that nodes of this shape are there for, and how much of it a pod takes: the accelerator, or with none of those the place of a pod.
func (s Shape) Scarce() (corev1.ResourceName, float64) {
	list := s.Requests.DeepCopy()
	name, q := acceleratorOf(&corev1.Container{Resources: corev1.ResourceRequirements{Requests: list}})
	if name == "" {
		return corev1.ResourcePods, 1
	}
	return corev1.ResourceName(name), q.AsApproximateFloat64()
}

// Pool tells shapes apart that cannot take each other's place on a node: by where they may run, and by the accelerator or, without one, by all that they
// ask for. Shapes of one pool that ask for different amounts of the accelerator are of one pool all the same.
func (s Shape) Pool() string {
	name, _ := s.Scarce()
	var text strings.Builder
	fmt.Fprint(&text, name, s.selector, s.tolerate, s.affinity.String(), s.runtime)
	if name == corev1.ResourcePods {
		names := slices.Sorted(maps.Keys(s.Requests))
		for _, n := range names {
			q := s.Requests[n]
			fmt.Fprint(&text, n, "=", q.String(), " ")
		}
	}
	return text.String()
}

func add(to, from corev1.ResourceList) {
	for name, q := range from {
		sum := to[name].DeepCopy()
		sum.Add(q)
		to[name] = sum
	}
}

func most(to, from corev1.ResourceList) {
	for name, q := range from {
		if have, ok := to[name]; !ok || q.Cmp(have) > 0 {
			to[name] = q.DeepCopy()
		}
	}
}

// Admits is whether the node may have pods of this shape: Ready, schedulable, selected, tolerated. Whether there is room is [Shape.Room].
func (s Shape) Admits(node *corev1.Node) bool {
	if node.Spec.Unschedulable || !nodeReady(node) {
		return false
	}
	for k, v := range s.selector {
		if got, ok := node.Labels[k]; !ok || got != v {
			return false
		}
	}
	return s.affine(node) && s.tolerates(node)
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (s Shape) affine(node *corev1.Node) bool {
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
	corev1.NodeSelectorOpIn: selection.In, corev1.NodeSelectorOpNotIn: selection.NotIn, corev1.NodeSelectorOpExists: selection.Exists,
	corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist, corev1.NodeSelectorOpGt: selection.GreaterThan, corev1.NodeSelectorOpLt: selection.LessThan,
}

func allMatch(requirements []corev1.NodeSelectorRequirement, set labels.Set) bool {
	for _, r := range requirements {
		if r.Key == "metadata.name" { // a field, whose key is no label's
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
		for _, t := range s.tolerate {
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

// Room is how many pods of this shape fit into what is free; 0 for a shape that asks for nothing.
func (s Shape) Room(free corev1.ResourceList) int {
	room := math.MaxInt32
	for name, want := range s.Requests {
		if want.Sign() <= 0 {
			continue
		}
		have := free[name]
		room = min(room, int(math.Floor(have.AsApproximateFloat64()/want.AsApproximateFloat64()+1e-9)))
	}
	if room == math.MaxInt32 {
		return 0
	}
	return max(0, room)
}

// Free is what each node has left beside the pods on it, by the node's name. Pods that ended count no more, nor do those that ignore says.
func Free(nodes []corev1.Node, pods []corev1.Pod, ignore func(*corev1.Pod) bool) map[string]corev1.ResourceList {
	free := make(map[string]corev1.ResourceList, len(nodes))
	for i := range nodes {
		free[nodes[i].Name] = nodes[i].Status.Allocatable.DeepCopy()
	}
	one := resource.MustParse("1")
	for i := range pods {
		p := &pods[i]
		left, ok := free[p.Spec.NodeName]
		if !ok || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || (ignore != nil && ignore(p)) {
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

// Capacity is what a service can be given.
type Capacity struct {
	// Fits is how many replicas more fit on the nodes that there are.
	Fits int
	// Grows is whether nodes come up on demand.
	Grows bool
	// Pool is how many replicas the node pool holds when it has grown as far as it can; 0 where that is not known.
	Pool int
	// Quota is how many replicas more the namespace's quotas admit; negative where there is none.
	Quota int
}

// Most is the largest number of replicas that there can be beside those that there are, and what bounds it: "nodes", "pool" or "quota". ok
// is false where nothing that is known does.
func (c Capacity) Most(replicas int) (most int, bound string, ok bool) {
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

// QuotaRoom is how many pods of the shape the quotas admit beside what is used; -1 where none of them is about pods of this shape. Quotas with
// scopes are passed over: whether they are about these pods cannot be said in general.
func QuotaRoom(quotas []corev1.ResourceQuota, s Shape) int {
	room := -1
	for i := range quotas {
		q := &quotas[i]
		if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
			continue
		}
		for name, hard := range q.Status.Hard {
			resourceName := name
			if n := len("requests."); len(name) > n && name[:n] == "requests." {
				resourceName = name[n:]
			}
			want, ok := s.Requests[resourceName]
			if !ok || want.Sign() <= 0 {
				continue
			}
			left := hard.DeepCopy()
			left.Sub(q.Status.Used[name])
			n := max(0, int(math.Floor(left.AsApproximateFloat64()/want.AsApproximateFloat64()+1e-9)))
			if room < 0 || n < room {
				room = n
			}
		}
	}
	return room
}
