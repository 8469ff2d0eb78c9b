package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
)

// planChanged has the schedules that lift a Forecast looked at soon after it has got another plan. That is an event and no timer, because
// nobody knows when the plan comes that has a new schedule in it, and because the queue forgets what was to be done later as soon as it is
// told to do something now.
func (r *PeakScheduleReconciler) planChanged(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	before, wasForecast := e.ObjectOld.(*v1alpha1.Forecast)
	after, isForecast := e.ObjectNew.(*v1alpha1.Forecast)
	if !wasForecast || !isForecast || equality.Semantic.DeepEqual(before.Status.Plan, after.Status.Plan) {
		return
	}
	now := r.clock.Now()
	for _, ps := range r.schedulesIn(ctx, after.Namespace) {
		if selects(&ps, after) {
			key := client.ObjectKeyFromObject(&ps)
			q.AddAfter(reconcile.Request{NamespacedName: key}, max(planGathers, r.writes.pause(key, now)))
		}
	}
}

func (r *PeakScheduleReconciler) allSchedules(ctx context.Context, _ client.Object) []reconcile.Request {
	return requests(r.schedulesIn(ctx, ""))
}

func (r *PeakScheduleReconciler) schedulesOf(ctx context.Context, obj client.Object) []reconcile.Request {
	return requests(r.schedulesIn(ctx, obj.GetNamespace()))
}

func (r *PeakScheduleReconciler) schedulesIn(ctx context.Context, namespace string) []v1alpha1.PeakSchedule {
	var list v1alpha1.PeakScheduleList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	return list.Items
}

func requests(schedules []v1alpha1.PeakSchedule) []reconcile.Request {
	out := make([]reconcile.Request, 0, len(schedules))
	for i := range schedules {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&schedules[i])})
	}
	return out
}
