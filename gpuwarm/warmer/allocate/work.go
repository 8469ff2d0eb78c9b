package allocate

import (
	corev1 "k8s.io/api/core/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// Desired is what a WarmPool is to hold, pull and load now, and why not more.
type Desired struct {
	// Works are those of the selected Forecasts, by name.
	Works []*Work
	// Shared are the groups of services that are held for together.
	Shared []Shared
	// Orphans are pods of the pool for Forecasts that are not selected any more. They are to be
	// deleted.
	Orphans []corev1.Pod
	// Short are the plans that need more than there can be.
	Short []Shortage
	// Rooms are what services can have together that share nodes, where that is known.
	Rooms []Room
	// Images and Overheads are to be remembered. See [Memory].
	Images    map[ImageKey]Admission
	Overheads map[string]corev1.ResourceList
}

// Work is what is to be done for one Forecast.
//
// Exactly one of three holds. Target is set: it is warmed for, by this Forecast or, where Holder or
// HolderPool is set, by another one. Ineligible is set: nothing is warmed for it, and what was is
// released. Err is set: its target cannot be read, and what is held stays.
type Work struct {
	Forecast *v1alpha1.Forecast
	// Key is the label of the Forecast on pods and objects.
	Key string
	// Before is its status at the last look.
	Before v1alpha1.WarmForecast

	Target     *Target
	Ineligible string
	Err        error
	// Stale is why the target cannot be read now, where it counts as it was read last.
	Stale error
	// Last is what is known of a target that is not read now; nil where nothing is.
	Last *Target

	// Holder is the Forecast of the same target for which nodes are held and images pulled; nil where
	// that is this one. HolderPool is the same in another WarmPool.
	Holder     *Work
	HolderPool *PoolShare
	// Successor holds the target of this Forecast now, and not this one; nil where nobody does. What
	// this one holds is released once the successor holds what it is to hold.
	Successor *Work

	// Learned are the leads that were learned from its own starts; 0 where none were.
	Learned gpuwarm.Stages
	// Plan is the largest of the plans for the target, Stages are the leads, and Need is what is to be
	// warm by them. It is before limits, and after what services save that share a node pool.
	Plan   gpuwarm.Timeline
	Stages gpuwarm.Stages
	Need   gpuwarm.Hold

	Hold HoldPlan
	Pull PullPlan
	// Load reports whether weights are to be loaded, by Weights; nil where there are none.
	Load    bool
	Weights *v1alpha1.WarmWeights
	// ShortMessage says what the plan needs beyond what there can be; empty where it needs no more.
	ShortMessage string
	// Most is how many replicas there can be if no other service needed any, and MostBy what bounds
	// that; empty where nothing that is known does.
	Most   int
	MostBy string
}

// HoldPlan is how nodes are to be held.
type HoldPlan struct {
	// By is what holds nodes. Missing is the API that spec names and the cluster does not serve. Err
	// is why that is not known.
	By      v1alpha1.WarmNodesPolicy
	Missing string
	Err     error
	// Replicas to hold nodes for.
	Replicas int
	// Limited reports whether fewer are held for than are needed. LimitedBy is what bounds that.
	Limited   bool
	LimitedBy string
	// Placeholders are those of the Forecast: made for it, or taken over from another one.
	Placeholders []corev1.Pod
}

// PullPlan is how images are to be pulled.
type PullPlan struct {
	By      v1alpha1.WarmImagesPolicy
	Missing bool
	Err     error
	// Nodes are to have the image, the ones that are used or held first.
	Nodes []*corev1.Node
	// LeftOut counts the nodes that bounds leave without it. Parallel is how many may pull at a time.
	LeftOut, Parallel int
	// Pods are the pull pods of the Forecast: made for it, or taken over from another one.
	Pods []corev1.Pod
}

// Shared is a group of services whose held places any of them can take.
type Shared struct {
	Forecasts   []string
	Resource    corev1.ResourceName
	Joint       gpuwarm.Joint
	Correlation float64
	Samples     int
}

// Holds reports whether nodes are held and images pulled for this Forecast itself.
func (w *Work) Holds() bool { return w.Target != nil && w.Holder == nil && w.HolderPool == nil }

// SeenTarget returns the target, or what is known of it where it is not read now; nil where nothing
// is known.
func (w *Work) SeenTarget() *Target {
	if w.Target != nil {
		return w.Target
	}
	return w.Last
}

// ByAutoscaler reports whether the cluster's autoscaler holds the nodes, and not placeholders.
func ByAutoscaler(by v1alpha1.WarmNodesPolicy) bool {
	return by == v1alpha1.WarmNodesCapacityBuffer || by == v1alpha1.WarmNodesProvisioningRequest
}

// heldByAutoscaler reports whether the cluster's autoscaler held the nodes at the last look.
func (w *Work) heldByAutoscaler() bool {
	return ByAutoscaler(v1alpha1.WarmNodesPolicy(w.Before.NodesBy))
}

// forecastKey returns the label of a Forecast.
func forecastKey(fc *v1alpha1.Forecast) string { return names.Forecast(fc.Namespace, fc.Name) }
