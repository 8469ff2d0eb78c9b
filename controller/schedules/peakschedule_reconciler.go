package schedules

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/internal/conditions"
	"headstart.dev/headstart/scheduler"
)

// maxRequeue is the longest wait until an object is reconciled again.
const maxRequeue = time.Hour

// PeakScheduleReconciler writes to the status of PeakSchedules what they declare now and next, and
// for which Forecasts. Forecasts do not read that status: they evaluate the schedules themselves.
type PeakScheduleReconciler struct {
	Options

	writes scheduleWrites
}

func (r *PeakScheduleReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.PeakSchedule{}, kube.WithGeneration()).
		Watches(&v1alpha1.Calendar{}, handler.EnqueueRequestsFromMapFunc(r.allSchedules)).
		Watches(&v1alpha1.Forecast{}, handler.EnqueueRequestsFromMapFunc(r.schedulesOf),
			builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&v1alpha1.Forecast{}, handler.Funcs{UpdateFunc: r.planChanged}).
		WatchesRawSource(kube.ShardChanges(r.Shard, func(ctx context.Context) []reconcile.Request {
			return kube.RequestsFor(r.schedulesIn(ctx, ""))
		})).
		WithOptions(kube.ShardOptions(r.Shard, 1)).
		Complete(r)
}

// Reconcile updates the status of a PeakSchedule, and requeues it for its next change.
func (r *PeakScheduleReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var ps v1alpha1.PeakSchedule
	if err := r.Client.Get(ctx, req.NamespacedName, &ps); err != nil {
		if apierrors.IsNotFound(err) {
			r.Compiler.ForgetSchedule(req.NamespacedName)
			r.writes.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !kube.Owns(r.Shard, kube.PeakScheduleKey(req.NamespacedName)) {
		r.writes.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	now := r.Clock.Now()
	conditions := conditions.Set{Generation: ps.Generation, Now: kube.MetaTime(now).Time}
	next, wait, err := r.evaluate(ctx, &ps, now, &conditions)
	if err != nil {
		return ctrl.Result{}, err
	}
	changed := conditions.Merge(&next.Conditions)
	if delay := r.writes.delay(req.NamespacedName, &ps.Status, next, now); delay > 0 {
		return ctrl.Result{RequeueAfter: min(wait, delay)}, nil
	}
	before := ps.DeepCopy()
	ps.Status = *next
	if written, err := kube.WriteStatus(ctx, r.Client, r.Recorder, before, &ps, changed); err != nil || !written {
		return kube.OrConflict(err)
	}
	r.writes.wrote(req.NamespacedName, now, before.Status.ObservedGeneration != next.ObservedGeneration)
	return ctrl.Result{RequeueAfter: wait}, nil
}

// evaluate returns the status of a PeakSchedule at now, and how long it stays valid. It sets the
// condition Ready in conditions; the conditions of the returned status are still the old ones.
func (r *PeakScheduleReconciler) evaluate(
	ctx context.Context, ps *v1alpha1.PeakSchedule, now time.Time, conditions *conditions.Set,
) (*v1alpha1.PeakScheduleStatus, time.Duration, error) {
	next := &v1alpha1.PeakScheduleStatus{
		ObservedGeneration: ps.Generation, Conditions: slices.Clone(ps.Status.Conditions),
	}
	s, err := r.Compiler.schedule(ctx, ps)
	switch {
	case err != nil:
		conditions.SetFalse(v1alpha1.ConditionReady, "InvalidSpec", "%s", kube.OneLine(err))
		return next, time.Minute, nil // A missing Calendar may be created.
	case ps.Spec.State == v1alpha1.PeakScheduleSuspended:
		conditions.SetTrue(v1alpha1.ConditionReady, "Suspended", "state is Suspended: no window counts")
		return next, maxRequeue, nil
	}
	forecasts, err := r.forecastsOf(ctx, ps)
	if err != nil {
		return nil, 0, err
	}
	wait := describeSchedule(s, now, forecasts, next)
	setScheduleReadyCondition(conditions, ps, s, forecasts, next.Expired)
	return next, wait, nil
}

// setScheduleReadyCondition sets the condition Ready of a PeakSchedule that can be evaluated. It is
// False when the PeakSchedule has no effect on a Forecast that it should affect.
func setScheduleReadyCondition(
	conditions *conditions.Set, ps *v1alpha1.PeakSchedule, s *scheduler.Schedule,
	forecasts []v1alpha1.Forecast, expired []string,
) {
	if missing := missingForecasts(ps, forecasts); missing != "" {
		conditions.SetFalse(v1alpha1.ConditionReady, "ForecastNotFound", "%s", missing)
		return
	}
	reason, message := "Evaluated", "every window can be evaluated"
	if len(expired) == len(ps.Spec.Windows) {
		reason = "Expired"
	}
	if len(expired) > 0 {
		message += "; expired: " + strings.Join(expired, ", ")
	}
	for _, warning := range s.Warnings() {
		message += "; warning: " + warning
	}
	conditions.SetTrue(v1alpha1.ConditionReady, reason, "%s", message)
}

// missingForecasts says which Forecasts do not exist that a PeakSchedule names, or that it selects
// none. It returns "" when none is missing. forecasts are those that it selects.
func missingForecasts(ps *v1alpha1.PeakSchedule, forecasts []v1alpha1.Forecast) string {
	var missing []string
	for i, ref := range ps.Spec.ForecastRefs {
		if !slices.ContainsFunc(forecasts, func(fc v1alpha1.Forecast) bool { return fc.Name == ref.Name }) {
			missing = append(missing, fmt.Sprintf("spec.forecastRefs[%d].name %q: there is no Forecast of this name "+
				"in namespace %s: create it, or correct the name", i, ref.Name, ps.Namespace))
		}
	}
	if len(missing) > 0 {
		return strings.Join(missing, "; ")
	}
	if len(forecasts) == 0 {
		return fmt.Sprintf("spec.forecastSelector %q: it selects no Forecast of namespace %s, so the schedule has "+
			"no effect: label one, or name it in spec.forecastRefs",
			metav1.FormatLabelSelector(ps.Spec.ForecastSelector), ps.Namespace)
	}
	return ""
}

// forecastsOf lists the Forecasts that a PeakSchedule selects, by name. They must not be changed.
func (r *PeakScheduleReconciler) forecastsOf(
	ctx context.Context, ps *v1alpha1.PeakSchedule,
) ([]v1alpha1.Forecast, error) {
	var list v1alpha1.ForecastList
	if err := r.Client.List(ctx, &list, client.InNamespace(ps.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the Forecasts of %s: %w", ps.Namespace, err)
	}
	matcher, _ := ps.ForecastMatcher()
	selected := slices.DeleteFunc(list.Items, func(fc v1alpha1.Forecast) bool { return !matcher.Matches(&fc) })
	slices.SortFunc(selected, func(a, b v1alpha1.Forecast) int { return strings.Compare(a.Name, b.Name) })
	return selected, nil
}

// planChanged enqueues the PeakSchedules that select a Forecast soon after its plan has changed.
//
// This needs an event. A timer would not do, for two reasons: nobody knows when the first plan with
// a new PeakSchedule is made, and the queue drops a delayed request when the same object is added
// without delay.
func (r *PeakScheduleReconciler) planChanged(ctx context.Context, e event.UpdateEvent, q kube.RequestQueue) {
	before, ok1 := e.ObjectOld.(*v1alpha1.Forecast)
	after, ok2 := e.ObjectNew.(*v1alpha1.Forecast)
	if !ok1 || !ok2 || equality.Semantic.DeepEqual(before.Status.Plan, after.Status.Plan) {
		return
	}
	now := r.Clock.Now()
	found, err := r.Compiler.selecting(ctx, after)
	if err != nil {
		return // the cache is being stopped
	}
	for i := range found {
		key := client.ObjectKeyFromObject(&found[i])
		q.AddAfter(reconcile.Request{NamespacedName: key}, max(planBatchDelay, r.writes.pause(key, now)))
	}
}

// allSchedules maps a Calendar to every PeakSchedule of the cluster.
func (r *PeakScheduleReconciler) allSchedules(ctx context.Context, _ client.Object) []reconcile.Request {
	return kube.RequestsFor(r.schedulesIn(ctx, ""))
}

// schedulesOf maps a Forecast to every PeakSchedule of its namespace.
func (r *PeakScheduleReconciler) schedulesOf(ctx context.Context, obj client.Object) []reconcile.Request {
	return kube.RequestsFor(r.schedulesIn(ctx, obj.GetNamespace()))
}

func (r *PeakScheduleReconciler) schedulesIn(ctx context.Context, namespace string) []v1alpha1.PeakSchedule {
	var list v1alpha1.PeakScheduleList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	return list.Items
}
