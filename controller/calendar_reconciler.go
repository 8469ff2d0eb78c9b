package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
)

// CalendarReconciler writes to the status of Calendars whether their days can be evaluated, and
// which days come next.
type CalendarReconciler struct {
	client   client.Client
	compiler *Compiler
	recorder events.EventRecorder
	clock    clock.Clock
	shard    Shard // Nil owns everything.
}

func (r *CalendarReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Calendar{}, withGeneration()).
		WatchesRawSource(shardChanges(r.shard, r.all)).
		WithOptions(shardOptions(r.shard, 1)).
		Complete(r)
}

// all returns a request for every Calendar.
func (r *CalendarReconciler) all(ctx context.Context) []reconcile.Request {
	var list v1alpha1.CalendarList
	if err := r.client.List(ctx, &list); err != nil {
		return nil // The cache is being stopped.
	}
	return requestsFor(list.Items)
}

// Reconcile updates the status of a Calendar, and requeues it within an hour.
func (r *CalendarReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var cal v1alpha1.Calendar
	if err := r.client.Get(ctx, req.NamespacedName, &cal); err != nil {
		if apierrors.IsNotFound(err) {
			r.compiler.ForgetCalendar(req.Name)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !owns(r.shard, calendarKey(req.Name)) {
		return ctrl.Result{}, nil
	}
	now := r.clock.Now()
	conditions := newConditionSet(cal.Generation, now)
	next := v1alpha1.CalendarStatus{
		ObservedGeneration: cal.Generation, Conditions: slices.Clone(cal.Status.Conditions),
		Next: r.evaluate(&cal, now, &conditions),
	}
	changed := conditions.merge(&next.Conditions)
	if equality.Semantic.DeepEqual(cal.Status, next) {
		return ctrl.Result{RequeueAfter: maxRequeue}, nil
	}
	before := cal.DeepCopy()
	cal.Status = next
	if written, err := writeStatus(ctx, r.client, r.recorder, before, &cal, changed); err != nil || !written {
		return orConflict(err)
	}
	return ctrl.Result{RequeueAfter: maxRequeue}, nil
}

// evaluate sets the condition Ready and returns the next days of a Calendar, today included.
func (r *CalendarReconciler) evaluate(
	cal *v1alpha1.Calendar, now time.Time, conditions *conditionSet,
) []v1alpha1.NamedDate {
	compiled, err := r.compiler.Calendar(cal)
	if err != nil {
		conditions.setFalse(v1alpha1.ConditionReady, "InvalidSpec", "%s", oneLine(err))
		return nil
	}
	today := now.UTC().Truncate(24 * time.Hour)
	var next []v1alpha1.NamedDate
	for _, d := range compiled.Next(time.UTC, today.Add(-time.Nanosecond), shownNext) {
		next = append(next, v1alpha1.NamedDate{Date: d.Date, Name: d.Name})
	}
	if len(next) > 0 {
		conditions.setTrue(v1alpha1.ConditionReady, "Read", "every day can be evaluated")
	} else {
		conditions.setTrue(v1alpha1.ConditionReady, "Expired",
			"every day is in the past: add future days, or import the next years")
	}
	return next
}
