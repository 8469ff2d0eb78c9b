package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// CalendarReconciler says in the status of Calendars whether their days can be read, and which come next.
type CalendarReconciler struct {
	client   client.Client
	compiler *Compiler
	recorder events.EventRecorder
	clock    clock.Clock
}

func (r *CalendarReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Calendar{}, withGeneration()).Complete(r)
}

// Reconcile lists the coming days, and comes back the next hour.
func (r *CalendarReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var cal v1alpha1.Calendar
	if err := r.client.Get(ctx, req.NamespacedName, &cal); err != nil {
		if apierrors.IsNotFound(err) {
			r.compiler.ForgetCalendar(req.Name)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	now := r.clock.Now()
	v := verdicts{generation: cal.Generation, now: metaTime(now)}
	next := v1alpha1.CalendarStatus{ObservedGeneration: cal.Generation, Conditions: slices.Clone(cal.Status.Conditions)}
	compiledCal, err := r.compiler.Calendar(&cal)
	if err != nil {
		v.fail(v1alpha1.ConditionReady, "InvalidSpec", "%s", oneLine(err))
	} else {
		today := now.UTC().Truncate(24 * time.Hour)
		for _, d := range compiledCal.Next(time.UTC, today.Add(-time.Nanosecond), shownNext) {
			next.Next = append(next.Next, v1alpha1.NamedDate{Date: d.Date, Name: d.Name})
		}
		if len(next.Next) > 0 {
			v.ok(v1alpha1.ConditionReady, "Read", "every day can be read")
		} else {
			v.ok(v1alpha1.ConditionReady, "Expired", "every day of it is over: add those to come, or import the next years")
		}
	}
	changed := v.merge(&next.Conditions)
	if equality.Semantic.DeepEqual(cal.Status, next) {
		return ctrl.Result{RequeueAfter: longestSleep}, nil
	}
	before := cal.DeepCopy()
	cal.Status = next
	if err := r.client.Status().Patch(ctx, &cal, unlessChanged(before)); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil
		}
		return orConflict(fmt.Errorf("write the status of calendar %s: %w", cal.Name, err))
	}
	emit(r.recorder, &cal, changed)
	return ctrl.Result{RequeueAfter: longestSleep}, nil
}
