package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/scheduler"
)

const (
	// shownNext is how many coming occurrences status lists.
	shownNext = 3
	// shownForecasts is how many lifted Forecasts status lists.
	shownForecasts = 256
	// longestSleep is how long a schedule without a change is left alone.
	longestSleep = time.Hour
)

// PeakScheduleReconciler says in the status of PeakSchedules what they mean now. Forecasts do not read that status: they evaluate
// the schedules themselves.
type PeakScheduleReconciler struct {
	client   client.Client
	compiler *Compiler
	recorder events.EventRecorder
	clock    clock.Clock
}

func (r *PeakScheduleReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.PeakSchedule{}, withGeneration()).
		Watches(&v1alpha1.Calendar{}, handler.EnqueueRequestsFromMapFunc(r.allSchedules)).
		Watches(&v1alpha1.Forecast{}, handler.EnqueueRequestsFromMapFunc(r.schedulesOf), withPredicate(predicate.LabelChangedPredicate{})).
		Complete(r)
}

// Reconcile evaluates a schedule at this instant and comes back at its next change.
func (r *PeakScheduleReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var ps v1alpha1.PeakSchedule
	if err := r.client.Get(ctx, req.NamespacedName, &ps); err != nil {
		if apierrors.IsNotFound(err) {
			r.compiler.forgetSchedule(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	now := r.clock.Now()
	v := verdicts{generation: ps.Generation, now: metaTime(now)}
	next := v1alpha1.PeakScheduleStatus{ObservedGeneration: ps.Generation, Conditions: cloneConditions(ps.Status.Conditions)}
	wait := longestSleep
	s, _, err := r.compiler.schedule(ctx, &ps)
	switch {
	case err != nil:
		v.fail(v1alpha1.ConditionReady, "InvalidSpec", "%s", oneLine(err))
		wait = time.Minute // a missing calendar may appear
	case ps.Spec.State == v1alpha1.PeakScheduleSuspended:
		v.ok(v1alpha1.ConditionReady, "Suspended", "state is Suspended: no window counts")
	default:
		wait = r.describe(ctx, &ps, s, now, &next)
		v.ok(v1alpha1.ConditionReady, "Evaluated", "every window can be evaluated")
		if len(next.Expired) > 0 {
			v.ok(v1alpha1.ConditionReady, "Evaluated", "every window can be evaluated; over and done with: %s", strings.Join(next.Expired, ", "))
		}
	}
	changed := v.merge(&next.Conditions)
	if equality.Semantic.DeepEqual(ps.Status, next) {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	before := ps.DeepCopy()
	ps.Status = next
	if err := r.client.Status().Patch(ctx, &ps, client.MergeFrom(before)); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("write the status of peak schedule %s: %w", req, err)
	}
	emit(r.recorder, &ps, changed)
	return ctrl.Result{RequeueAfter: wait}, nil
}

// describe fills in what the schedule means at now, and returns how long that stays so.
func (r *PeakScheduleReconciler) describe(ctx context.Context, ps *v1alpha1.PeakSchedule, s *scheduler.Schedule, now time.Time, into *v1alpha1.PeakScheduleStatus) time.Duration {
	loc, err := ps.Spec.TimeZone.Location()
	if err != nil {
		loc = time.UTC
	}
	wait := longestSleep
	until := func(t time.Time) {
		if d := t.Sub(now); d > 0 && d < wait {
			wait = d
		}
	}
	for _, o := range s.Active(now) {
		into.Active = append(into.Active, occurrence(o, loc))
		until(o.End)
	}
	for _, o := range s.Next(now, shownNext) {
		into.Next = append(into.Next, occurrence(o, loc))
		until(o.Start)
	}
	into.Expired = s.Expired(now)
	into.Forecasts = r.lifted(ctx, ps, s, now, len(into.Active) > 0)
	return wait + time.Millisecond
}

func occurrence(o scheduler.Occurrence, loc *time.Location) v1alpha1.WindowOccurrence {
	return v1alpha1.WindowOccurrence{Window: o.Window, LocalStart: o.Start.In(loc).Format("2006-01-02T15:04:05-07:00"), Start: metaTime(o.Start), End: metaTime(o.End)}
}

// lifted says what each Forecast gets from the active windows.
func (r *PeakScheduleReconciler) lifted(ctx context.Context, ps *v1alpha1.PeakSchedule, s *scheduler.Schedule, now time.Time, active bool) []v1alpha1.LiftedForecast {
	var list v1alpha1.ForecastList
	if err := r.client.List(ctx, &list, client.InNamespace(ps.Namespace)); err != nil {
		return ps.Status.Forecasts
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.Forecast) int { return strings.Compare(a.Name, b.Name) })
	var out []v1alpha1.LiftedForecast
	for i := range list.Items {
		fc := &list.Items[i]
		if picked, err := lifts(ps, fc); err != nil || !picked || len(out) == shownForecasts {
			continue
		}
		lifted := v1alpha1.LiftedForecast{Name: fc.Name}
		if active {
			demand := quantityOf(liftedDemand(fc, s, now))
			lifted.Demand = &demand
		}
		out = append(out, lifted)
	}
	return out
}

// liftedDemand is what the plan of a Forecast has for now, while a window of the schedule is active.
func liftedDemand(fc *v1alpha1.Forecast, s *scheduler.Schedule, now time.Time) float64 {
	if fc.Status.Plan != nil {
		if plan, err := planner.Decode(*fc.Status.Plan); err == nil {
			if value, ok := plan.At(now); ok {
				return value
			}
		}
	}
	capacity := 0.0
	if c := fc.Status.CapacityPerReplica; c != nil {
		capacity = c.Value.AsApproximateFloat64()
	}
	return s.At(now).Apply(0, capacity)
}

func (r *PeakScheduleReconciler) allSchedules(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.schedulesIn(ctx, "")
}

func (r *PeakScheduleReconciler) schedulesOf(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.schedulesIn(ctx, obj.GetNamespace())
}

func (r *PeakScheduleReconciler) schedulesIn(ctx context.Context, namespace string) []reconcile.Request {
	var list v1alpha1.PeakScheduleList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: list.Items[i].Namespace, Name: list.Items[i].Name}})
	}
	return out
}
