// Package model turns what a cluster has into what the page shows. It is pure: objects and a time
// in, values for JSON out. Times are in seconds since 1970. A value that is not known is null.
package model

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/explain"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/scheduler"
)

// Objects are the objects that the user may see.
type Objects struct {
	Forecasts     []v1alpha1.Forecast
	PeakSchedules []v1alpha1.PeakSchedule
	Calendars     []v1alpha1.Calendar
	WarmPools     []v1alpha1.WarmPool
	HPAs          []autoscalingv2.HorizontalPodAutoscaler
	ScaledObjects []planner.ScaledObject
	// Targets are the workloads that Forecasts name.
	Targets map[TargetKey]Target
	// Access says, for each kind, whether the user may see it.
	Access []Access
}

// TargetKey names a workload.
type TargetKey struct{ Namespace, APIVersion, Kind, Name string }

// Target is how many replicas a workload has. -1 is unknown.
type Target struct{ Wanted, Ready int }

// State says how a kind is read.
type State string

// The states of reading a kind.
const (
	Loading State = "loading" // the first list is under way
	Live    State = "live"    // every change arrives
	Denied  State = "denied"  // the user has no permission
	Absent  State = "absent"  // the cluster has no such kind
	Failed  State = "failed"  // the API server does not answer
)

// Access says whether the user sees the objects of one kind.
type Access struct {
	// Kind is its plural, such as forecasts. Namespace is empty for all namespaces.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	State     State  `json:"state"`
	// Message says why not, and what to do. Around is what it says before and after the kind, if it
	// names it: kinds with the same text around them are named together.
	Message string   `json:"message,omitempty"`
	Around  []string `json:"around,omitempty"`
}

// Builder makes the values of the page. It remembers compiled PeakSchedules, which does not change
// a result. It is safe for concurrent use.
type Builder struct {
	conditions *explain.Table
	schedules  *scheduler.Cache
}

// NewBuilder returns a Builder that explains conditions by a table.
func NewBuilder(conditions *explain.Table) *Builder {
	return &Builder{conditions: conditions, schedules: scheduler.NewCache()}
}

// some returns a list that is not nil, so that JSON has [] for an empty one.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// inNamespace holds the objects of one namespace that rows are made of.
type inNamespace struct {
	autoscalers planner.Autoscalers
	pools       []v1alpha1.WarmPool
}

// byNamespace sorts the objects that belong to Forecasts by namespace.
func byNamespace(o Objects) map[string]*inNamespace {
	out := map[string]*inNamespace{}
	at := func(namespace string) *inNamespace {
		if out[namespace] == nil {
			out[namespace] = &inNamespace{}
		}
		return out[namespace]
	}
	for i := range o.Forecasts {
		at(o.Forecasts[i].Namespace)
	}
	for _, h := range o.HPAs {
		at(h.Namespace).autoscalers.HPAs = append(at(h.Namespace).autoscalers.HPAs, h)
	}
	for _, s := range o.ScaledObjects {
		at(s.Namespace).autoscalers.ScaledObjects = append(at(s.Namespace).autoscalers.ScaledObjects, s)
	}
	for _, p := range o.WarmPools {
		at(p.Namespace).pools = append(at(p.Namespace).pools, p)
	}
	return out
}
