package allocate

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Snapshot is what is in the cluster at one instant, as far as it matters to one WarmPool.
type Snapshot struct {
	Now  time.Time
	Pool *v1alpha1.WarmPool
	// Namespace is where placeholders are. Only Headstart may write pods there.
	Namespace string
	// Selector is the pool's selector of Forecasts.
	Selector labels.Selector
	// Forecasts and Pools are all of the pool's namespace. PoolsErr is why Pools are not known.
	Forecasts []v1alpha1.Forecast
	Pools     []v1alpha1.WarmPool
	PoolsErr  error
	// Workloads are the targets, by the name of the Forecast.
	Workloads map[string]Workload
	// HPAs are the bounds of replicas, by the name of the HPA.
	HPAs map[string]Bound
	// Pods and Nodes are all of the cluster. Quotas are those of the pool's namespace.
	Pods   []corev1.Pod
	Nodes  []corev1.Node
	Quotas []corev1.ResourceQuota
	// SharedQuotas are those of the namespace of the placeholders. Namespaces counts the namespaces
	// whose WarmPools share them.
	SharedQuotas []corev1.ResourceQuota
	Namespaces   int
	// The optional APIs that hold nodes or pull images.
	CapacityBuffers, ProvisioningRequests, ImagePullJobs API
	// Requests are what the pool asks the cluster's autoscaler for, by the label of the Forecast.
	Requests map[string]Request
	// RequestsErr is why Requests are not known.
	RequestsErr error
}

// Workload is a Forecast's target as it was read.
type Workload struct {
	Template *corev1.PodTemplateSpec
	Selector *metav1.LabelSelector
	// LeftOut says what of the target's template placeholders do not copy; empty where they copy all.
	LeftOut string
	// Made is how many replicas there are, where all of them were made from the template; else 0.
	Made int64
	// Ineligible is why nothing can be warmed for it; empty where something can.
	Ineligible string
	// Err is why it could not be read.
	Err error
}

// Bound is the most replicas that an HPA allows.
type Bound struct {
	MaxReplicas int // 0 is no bound
	Err         error
}

// API says whether the cluster serves an optional API.
type API struct {
	Served bool
	Err    error // why that is not known
}

// Request asks the cluster's autoscaler to hold nodes.
type Request struct {
	Replicas int
	Template *corev1.PodTemplateSpec // nil where it is not known
}

// Memory is what is remembered from the last look at the WarmPool.
type Memory struct {
	// Forecasts are the selected ones of that look, by name.
	Forecasts map[string]Remembered
	// Images are what admission made of images.
	Images map[ImageKey]Admission
	// Overheads are what admission adds to pods, by runtime class.
	Overheads map[string]corev1.ResourceList
	// Errors are those of the forecasts. They are read only.
	Errors *gpuwarm.ForecastErrors
}

// Remembered is what the last look knew of a Forecast.
type Remembered struct {
	Target *Target   // nil where nothing was warmed for it, and after a restart
	Read   time.Time // when the target was read last
	Status v1alpha1.WarmForecast
}

// Options of [Decide].
type Options struct {
	// ShapeKey returns a key that is equal for targets whose placeholders can stand for each other.
	ShapeKey func(*Target) string
	// Cap bounds what the WarmPools of the namespace hold together.
	Cap Cap
}

// acts reports whether a WarmPool warms anything. One in mode DryRun says what it would do.
func acts(p *v1alpha1.WarmPool) bool { return p.Spec.Mode != v1alpha1.WarmPoolDryRun }

// Acts reports whether the pool warms anything.
func (s *Snapshot) Acts() bool { return acts(s.Pool) }

// Selected returns the Forecasts that the pool selects, by name.
func (s *Snapshot) Selected() []*v1alpha1.Forecast {
	var out []*v1alpha1.Forecast
	for i := range s.Forecasts {
		if fc := &s.Forecasts[i]; s.Selector.Matches(labels.Set(fc.Labels)) {
			out = append(out, fc)
		}
	}
	slices.SortFunc(out, func(a, b *v1alpha1.Forecast) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Nodes are nodes by name.
type Nodes []*corev1.Node

// NodesOf sorts nodes by name.
func NodesOf(nodes []corev1.Node) Nodes {
	out := make(Nodes, len(nodes))
	for i := range nodes {
		out[i] = &nodes[i]
	}
	slices.SortFunc(out, func(a, b *corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Get returns the node of that name; nil where there is none.
func (n Nodes) Get(name string) *corev1.Node {
	i, ok := slices.BinarySearchFunc(n, name, func(n *corev1.Node, name string) int {
		return cmp.Compare(n.Name, name)
	})
	if !ok {
		return nil
	}
	return n[i]
}

// IsAlive reports whether a pod has neither ended nor is being deleted.
func IsAlive(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// Alive counts the pods that are.
func Alive(pods []corev1.Pod) int {
	n := 0
	for i := range pods {
		if IsAlive(&pods[i]) {
			n++
		}
	}
	return n
}

// sortPods sorts pods by name, since a cache has no order.
func sortPods(pods []corev1.Pod) []corev1.Pod {
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return pods
}

// What a placeholder is worth, the best first.
const (
	Holding = iota // to a node
	Pending        // for a node
	Useless        // ended, of another shape, or on a node that takes no pods any more
)

// Rank returns what a placeholder is worth to a target of a shape.
func (n Nodes) Rank(p *corev1.Pod, shapeKey string) int {
	node := n.Get(p.Spec.NodeName)
	switch {
	case !IsAlive(p), p.Labels[names.LabelShape] != shapeKey, node != nil && node.Spec.Unschedulable:
		return Useless
	case p.Spec.NodeName == "":
		return Pending
	}
	return Holding
}

// Useful counts the placeholders that hold, or wait for a node to hold.
func (n Nodes) Useful(pods []corev1.Pod, shapeKey string) int {
	count := 0
	for i := range pods {
		if n.Rank(&pods[i], shapeKey) < Useless {
			count++
		}
	}
	return count
}
