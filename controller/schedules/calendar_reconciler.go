package schedules

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/internal/conditions"
)

// CalendarReconciler writes to the status of Calendars whether their days can be evaluated, and
// which days come next.
type CalendarReconciler struct {
	Options
}

func (r *CalendarReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Calendar{}, kube.WithGeneration()).
		WatchesRawSource(kube.ShardChanges(r.Shard, r.all)).
		WithOptions(kube.ShardOptions(r.Shard, 1)).
		Complete(r)
}

// all returns a request for every Calendar.
func (r *CalendarReconciler) all(ctx context.Context) []reconcile.Request {
	var list v1alpha1.CalendarList
	if err := r.Client.List(ctx, &list); err != nil {
		return nil // The cache is being stopped.
	}
	return kube.RequestsFor(list.Items)
}

// Reconcile updates the status of a Calendar, and requeues it within an hour.
func (r *CalendarReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var cal v1alpha1.Calendar
	if err := r.Client.Get(ctx, req.NamespacedName, &cal); err != nil {
		if apierrors.IsNotFound(err) {
			r.Compiler.ForgetCalendar(req.Name)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !kube.Owns(r.Shard, kube.CalendarKey(req.Name)) {
		return ctrl.Result{}, nil
	}
	now := r.Clock.Now()
	conditions := conditions.Set{Generation: cal.Generation, Now: kube.MetaTime(now).Time}
	next := v1alpha1.CalendarStatus{
		ObservedGeneration: cal.Generation, Conditions: slices.Clone(cal.Status.Conditions),
		Next: r.evaluate(&cal, now, &conditions),
	}
	changed := conditions.Merge(&next.Conditions)
	if equality.Semantic.DeepEqual(cal.Status, next) {
		return ctrl.Result{RequeueAfter: maxRequeue}, nil
	}
	before := cal.DeepCopy()
	cal.Status = next
	if written, err := kube.WriteStatus(ctx, r.Client, r.Recorder, before, &cal, changed); err != nil || !written {
		return kube.OrConflict(err)
	}
	return ctrl.Result{RequeueAfter: maxRequeue}, nil
}

// evaluate sets the condition Ready and returns the next days of a Calendar, today included.
func (r *CalendarReconciler) evaluate(
	cal *v1alpha1.Calendar, now time.Time, conditions *conditions.Set,
) []v1alpha1.NamedDate {
	compiled, err := r.Compiler.Calendar(cal)
	if err != nil {
		conditions.SetFalse(v1alpha1.ConditionReady, "InvalidSpec", "%s", kube.OneLine(err))
		return nil
	}
	today := now.UTC().Truncate(24 * time.Hour)
	var next []v1alpha1.NamedDate
	for _, d := range compiled.Next(time.UTC, today.Add(-time.Nanosecond), shownNext) {
		next = append(next, v1alpha1.NamedDate{Date: d.Date, Name: d.Name})
	}
	if len(next) > 0 {
		conditions.SetTrue(v1alpha1.ConditionReady, "Read", "every day can be evaluated")
	} else {
		conditions.SetTrue(v1alpha1.ConditionReady, "Expired",
			"every day is in the past: add future days, or import the next years")
	}
	return next
}
