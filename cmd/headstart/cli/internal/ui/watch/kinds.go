package watch

import (
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
	"headstart.dev/headstart/planner"
)

// kind is a kind of objects to follow.
type kind struct {
	// name is what permissions call it.
	name        string
	clusterWide bool
	object      func() client.Object
	list        func() client.ObjectList
}

// The names of the kinds.
const (
	forecasts     = "forecasts"
	peakSchedules = "peakschedules"
	calendars     = "calendars"
	warmPools     = "warmpools"
	autoscalers   = "horizontalpodautoscalers"
	scaledObjects = "scaledobjects"
)

// kinds are those that are always followed.
func kinds() []kind {
	object := func(o client.Object) func() client.Object {
		return func() client.Object { return o.DeepCopyObject().(client.Object) }
	}
	list := func(l client.ObjectList) func() client.ObjectList {
		return func() client.ObjectList { return l.DeepCopyObject().(client.ObjectList) }
	}
	scaled := unstructuredKind(scaledObjects, planner.ScaledObjectKind)
	return []kind{
		{name: forecasts, object: object(&v1alpha1.Forecast{}), list: list(&v1alpha1.ForecastList{})},
		{name: peakSchedules, object: object(&v1alpha1.PeakSchedule{}), list: list(&v1alpha1.PeakScheduleList{})},
		{name: calendars, clusterWide: true, object: object(&v1alpha1.Calendar{}), list: list(&v1alpha1.CalendarList{})},
		{name: warmPools, object: object(&v1alpha1.WarmPool{}), list: list(&v1alpha1.WarmPoolList{})},
		{
			name: autoscalers, object: object(&autoscalingv2.HorizontalPodAutoscaler{}),
			list: list(&autoscalingv2.HorizontalPodAutoscalerList{}),
		},
		scaled,
	}
}

func unstructuredKind(name string, gvk schema.GroupVersionKind) kind {
	return kind{
		name: name,
		object: func() client.Object {
			o := &unstructured.Unstructured{}
			o.SetGroupVersionKind(gvk)
			return o
		},
		list: func() client.ObjectList {
			l := &unstructured.UnstructuredList{}
			l.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
			return l
		},
	}
}

// targetName is what a kind of workloads is called, such as deployments.apps.
func targetName(gvk schema.GroupVersionKind) string {
	return strings.ToLower(gvk.Kind) + "s." + gvk.Group
}

// targetKind follows a kind of workloads.
func targetKind(gvk schema.GroupVersionKind) kind { return unstructuredKind(targetName(gvk), gvk) }

// targetOf returns how many replicas a workload has. The fields are those that a Deployment has;
// nearly all kinds with a scale have them, too.
func targetOf(o *unstructured.Unstructured) model.Target {
	out := model.Target{Wanted: -1, Ready: -1}
	if n, ok, err := unstructured.NestedInt64(o.Object, "spec", "replicas"); ok && err == nil {
		out.Wanted = int(n)
	}
	if n, ok, err := unstructured.NestedInt64(o.Object, "status", "readyReplicas"); ok && err == nil {
		out.Ready = int(n)
	} else if _, ok, _ := unstructured.NestedInt64(o.Object, "status", "replicas"); ok || o.GetKind() == "Deployment" {
		out.Ready = 0 // the field is left out while it is 0
	}
	return out
}

// strip drops what the page does not show, to keep memory small.
func strip(o client.Object) {
	o.SetManagedFields(nil)
	annotations := o.GetAnnotations()
	delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
	o.SetAnnotations(annotations)
	u, ok := o.(*unstructured.Unstructured)
	if !ok || u.GroupVersionKind() == planner.ScaledObjectKind {
		return
	}
	spec, status := map[string]any{}, map[string]any{}
	copyField(u.Object, "spec", "replicas", spec)
	copyField(u.Object, "status", "replicas", status)
	copyField(u.Object, "status", "readyReplicas", status)
	u.Object = map[string]any{
		"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "metadata": u.Object["metadata"],
		"spec": spec, "status": status,
	}
}

func copyField(from map[string]any, group, field string, into map[string]any) {
	if v, ok, err := unstructured.NestedFieldNoCopy(from, group, field); ok && err == nil {
		into[field] = v
	}
}
