package controller

import (
	"context"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
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
	for _, ps := range r.schedulesIn(ctx, after.Namespace) {
		if lifts(&ps, after) {
			q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&ps)}, planGathers)
		}
	}
}

// sameStatus says whether a status would tell nothing that is not written already. Where the figures are fresh, those of demand that
// hardly differ do not count: a forecast that moves a little makes no write.
func sameStatus(written, next *v1alpha1.PeakScheduleStatus, fresh bool) bool {
	if !fresh {
		return equality.Semantic.DeepEqual(*written, *next)
	}
	was := make(map[string]v1alpha1.LiftedForecast, len(written.Forecasts))
	for _, f := range written.Forecasts {
		was[f.Name] = f
	}
	rounded := *next
	rounded.Forecasts = nil
	for _, f := range next.Forecasts {
		if old, ok := was[f.Name]; ok && near(old.Demand, f.Demand) && near(old.DemandAtNext, f.DemandAtNext) {
			f = old
		}
		rounded.Forecasts = append(rounded.Forecasts, f)
	}
	return equality.Semantic.DeepEqual(*written, rounded)
}

func near(a, b *resource.Quantity) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := a.AsApproximateFloat64(), b.AsApproximateFloat64()
	return math.Abs(x-y) <= figuresDiffer*max(x, y)
}

// lastWrite is when this process wrote the status of a schedule last; the zero time where it did not yet.
func (r *PeakScheduleReconciler) lastWrite(key types.NamespacedName) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written[key]
}

func (r *PeakScheduleReconciler) wrote(key types.NamespacedName, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.written == nil {
		r.written = map[types.NamespacedName]time.Time{}
	}
	r.written[key] = at
}

func (r *PeakScheduleReconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, key)
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
