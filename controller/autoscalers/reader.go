package autoscalers

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// HPAIndex is the cache index from a Forecast's name to the HPAs of its namespace that read it.
const HPAIndex = "headstart.dev/forecast"

// IndexHPA is the index function of [HPAIndex].
func IndexHPA(obj client.Object) []string {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	return planner.ForecastNames(hpa)
}

// Reader reads the autoscalers of a Forecast.
type Reader struct {
	// HPAs has the index [HPAIndex].
	HPAs client.Reader
	// ScaledObjects are those of KEDA; nil reads none.
	ScaledObjects *ScaledObjects
}

// Watch lets a controller of Forecasts follow their autoscalers. It adds the index of HPAs to the
// manager's cache.
func (r Reader) Watch(ctx context.Context, mgr ctrl.Manager, b *builder.Builder) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &autoscalingv2.HorizontalPodAutoscaler{}, HPAIndex, IndexHPA)
	if err != nil {
		return fmt.Errorf("index the HorizontalPodAutoscalers: %w", err)
	}
	b.Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(forecastsOfHPA),
		builder.WithPredicates(hpaSpecChanged()))
	if r.ScaledObjects == nil {
		return nil
	}
	b.WatchesRawSource(source.Channel(r.ScaledObjects.changes, &handler.EnqueueRequestForObject{}))
	return mgr.Add(r.ScaledObjects)
}

// Of returns the autoscalers that read a Forecast.
func (r Reader) Of(ctx context.Context, fc *v1alpha1.Forecast) (planner.Autoscalers, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	err := r.HPAs.List(ctx, &list, client.InNamespace(fc.Namespace), client.MatchingFields{HPAIndex: fc.Name})
	if err != nil {
		return planner.Autoscalers{}, fmt.Errorf("list the HorizontalPodAutoscalers that read %s/%s: %w",
			fc.Namespace, fc.Name, err)
	}
	return planner.Autoscalers{HPAs: list.Items, ScaledObjects: r.ScaledObjects.of(fc)}, nil
}

// Wait reports whether to plan later, because the ScaledObjects have not been read since the start.
func (r Reader) Wait() bool { return r.ScaledObjects.wait() }

// hpaSpecChanged ignores updates of an HPA's status, which the HPA controller writes at every sync.
// A plan depends on the spec only.
func hpaSpecChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
		after, ok2 := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
		return !ok1 || !ok2 || !equality.Semantic.DeepEqual(before.Spec, after.Spec)
	}}
}

// forecastsOfHPA maps an HPA to the Forecasts that it reads.
func forecastsOfHPA(_ context.Context, obj client.Object) []reconcile.Request {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	var out []reconcile.Request
	for _, name := range IndexHPA(hpa) {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: hpa.Namespace, Name: name}})
	}
	return out
}

// StripHPA removes what nobody reads from the HPAs in the cache, to save memory.
func StripHPA(obj any) (any, error) {
	if hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		hpa.ManagedFields, hpa.Annotations = nil, nil
		hpa.Status = autoscalingv2.HorizontalPodAutoscalerStatus{}
	}
	return obj, nil
}

var _ toolscache.TransformFunc = StripHPA
