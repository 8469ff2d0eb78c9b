package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
)

// targetIndex is the cache index from a target to the Forecasts that name it.
const targetIndex = "headstart.dev/target"

func targetKey(ref v1alpha1.TargetReference) string { return ref.Kind + "/" + ref.Name }

func indexTarget(obj client.Object) []string {
	fc, ok := obj.(*v1alpha1.Forecast)
	if !ok {
		return nil
	}
	return []string{targetKey(fc.Spec.TargetRef)}
}

// sharers are the other Forecasts that act on the same target. One in mode DryRun or Paused beside an Active one is how a comparison is
// run, and only counts where both would scale.
func (r *ForecastReconciler) sharers(ctx context.Context, fc *v1alpha1.Forecast) ([]string, error) {
	if fc.Spec.Mode != v1alpha1.ForecastActive && fc.Spec.Mode != "" {
		return nil, nil
	}
	var list v1alpha1.ForecastList
	if err := r.client.List(ctx, &list, client.InNamespace(fc.Namespace), client.MatchingFields{targetIndex: targetKey(fc.Spec.TargetRef)}); err != nil {
		return nil, fmt.Errorf("list the Forecasts of %s: %w", targetKey(fc.Spec.TargetRef), err)
	}
	var names []string
	for i := range list.Items {
		if mode := list.Items[i].Spec.Mode; list.Items[i].Name != fc.Name && (mode == v1alpha1.ForecastActive || mode == "") {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// forecastEvents enqueues a Forecast when its spec or labels change. At a start, those whose plan ends soonest come first.
func forecastEvents(c clock.PassiveClock) handler.EventHandler {
	add := func(obj client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		req := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(obj)}
		pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request])
		fc, isForecast := obj.(*v1alpha1.Forecast)
		if !ok || !isForecast {
			q.Add(req)
			return
		}
		priority := urgency(fc, c.Now())
		pq.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, req)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			add(e.Object, q)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || fmt.Sprint(e.ObjectOld.GetLabels()) != fmt.Sprint(e.ObjectNew.GetLabels()) {
				add(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)})
		},
	}
}

// hpaSpecChanged leaves out what the HPA controller writes to an HPA's status at every sync: a plan depends on the spec alone.
func hpaSpecChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, isHPA := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
		is, stillHPA := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
		return !isHPA || !stillHPA || !equality.Semantic.DeepEqual(was.Spec, is.Spec)
	}}
}

// urgency is higher the sooner a Forecast's plan ends; highest without a plan.
func urgency(fc *v1alpha1.Forecast, now time.Time) int {
	const most = 100000
	if fc.Status.Plan == nil {
		return most
	}
	left := int(fc.Status.Plan.End.Sub(now) / time.Minute)
	return most - min(max(left, 0), most)
}

// forecastsOfHPA maps an HPA to the Forecasts it reads.
func forecastsOfHPA(_ context.Context, obj client.Object) []reconcile.Request {
	hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	var out []reconcile.Request
	for _, name := range indexHPA(hpa) {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: hpa.Namespace, Name: name}})
	}
	return out
}

// forecastsOfPeaks maps a PeakSchedule to every Forecast of its namespace: one that it no longer picks must hear of it too.
func (r *ForecastReconciler) forecastsOfPeaks(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.forecastsIn(ctx, obj.GetNamespace())
}

// forecastsOfCalendar maps a Calendar to every Forecast.
func (r *ForecastReconciler) forecastsOfCalendar(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.forecastsIn(ctx, "")
}

func (r *ForecastReconciler) forecastsIn(ctx context.Context, namespace string) []reconcile.Request {
	var list v1alpha1.ForecastList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		r.logger.Error("forecasts cannot be listed", "namespace", namespace, "error", err)
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}
