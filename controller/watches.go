package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
)

// targetIndex is the cache index from a target to the Forecasts of its namespace that name it.
const targetIndex = "headstart.dev/target"

func targetKey(ref v1alpha1.TargetReference) string { return ref.Kind + "/" + ref.Name }

// indexTarget is the index function of targetIndex.
func indexTarget(obj client.Object) []string {
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return nil
	}
	return []string{targetKey(fc.Spec.TargetRef)}
}

// otherForecastsOfTarget returns the names of the other Forecasts in mode Active with the same
// target; none where fc is not Active itself. A Forecast in mode DryRun or Paused beside an Active
// one is no problem, since only one of them scales.
func (r *ForecastReconciler) otherForecastsOfTarget(ctx context.Context, fc *v1alpha1.Forecast) ([]string, error) {
	if !isActive(fc) {
		return nil, nil
	}
	key := targetKey(fc.Spec.TargetRef)
	var list v1alpha1.ForecastList
	err := r.client.List(ctx, &list, client.InNamespace(fc.Namespace), client.MatchingFields{targetIndex: key},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the Forecasts of %s: %w", key, err)
	}
	var names []string
	for i := range list.Items {
		if other := &list.Items[i]; other.Name != fc.Name && isActive(other) {
			names = append(names, other.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// isActive reports whether the mode of a Forecast is Active, the default.
func isActive(fc *v1alpha1.Forecast) bool {
	return fc.Spec.Mode == v1alpha1.ForecastActive || fc.Spec.Mode == ""
}

// forecastEvents enqueues a Forecast when its spec or labels change. From a status that another
// replica has written it takes what that has learned.
func (r *ForecastReconciler) forecastEvents() handler.EventHandler {
	add := func(obj client.Object, q kube.RequestQueue) {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(obj)})
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q kube.RequestQueue) { add(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q kube.RequestQueue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
				!maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) {
				add(e.ObjectNew, q)
			}
			fc, ok := e.ObjectNew.(*v1alpha1.Forecast)
			if ok && !kube.Owns(r.shard, kube.ForecastKey(client.ObjectKeyFromObject(fc))) {
				r.poolWarmUps.Restore(serviceOf(fc), fc.Status.LeadTime)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q kube.RequestQueue) { add(e.Object, q) },
	}
}

// forecastsOfPeaks maps a PeakSchedule to every Forecast of its namespace. A Forecast that it no
// longer selects must be planned again too.
func (r *ForecastReconciler) forecastsOfPeaks(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.forecastsIn(ctx, obj.GetNamespace())
}

// forecastsOfCalendar maps a Calendar to every Forecast of the cluster.
func (r *ForecastReconciler) forecastsOfCalendar(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.forecastsIn(ctx, "")
}

func (r *ForecastReconciler) forecastsIn(ctx context.Context, namespace string) []reconcile.Request {
	var list v1alpha1.ForecastList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		r.logger.Error("cannot list Forecasts", "namespace", namespace, "error", err)
		return nil
	}
	return kube.RequestsFor(list.Items)
}
