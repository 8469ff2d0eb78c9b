package controller

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

const (
	// shownNext is how many coming occurrences status lists.
	shownNext = 3
	// shownForecasts is how many lifted Forecasts status lists.
	shownForecasts = 256
	// longestSleep is how long a schedule without a change is left alone.
	longestSleep = time.Hour
	// demandAge is how old the demand of the lifted Forecasts in status gets while their plans reach the schedule's windows.
	demandAge = 5 * time.Minute
	// planGathers is how long after a plan was published the schedules that lift its Forecast are looked at: a change of a schedule makes
	// plans anew together, and status is written once for them.
	planGathers = 2 * time.Second
	// leastSleep is how long a status is left alone whose windows change all the time, or that lifts many Forecasts: none is worth more
	// writes.
	leastSleep = 30 * time.Second
	// shownNames bounds the line of active windows.
	shownNames = 128
)

// PeakScheduleReconciler says in the status of PeakSchedules what they mean now. Forecasts do not read that status: they evaluate
// the schedules themselves.
type PeakScheduleReconciler struct {
	client   client.Client
	compiler *Compiler
	recorder events.EventRecorder
	clock    clock.Clock

	writes scheduleWrites
}

func (r *PeakScheduleReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.PeakSchedule{}, withGeneration()).
		Watches(&v1alpha1.Calendar{}, handler.EnqueueRequestsFromMapFunc(r.allSchedules)).
		Watches(&v1alpha1.Forecast{}, handler.EnqueueRequestsFromMapFunc(r.schedulesOf), withPredicate(predicate.LabelChangedPredicate{})).
		Watches(&v1alpha1.Forecast{}, handler.Funcs{UpdateFunc: r.planChanged}).
		Complete(r)
}

// Reconcile evaluates a schedule at this instant and comes back at its next change.
func (r *PeakScheduleReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var ps v1alpha1.PeakSchedule
	if err := r.client.Get(ctx, req.NamespacedName, &ps); err != nil {
		if apierrors.IsNotFound(err) {
			r.compiler.ForgetSchedule(req.NamespacedName)
			r.writes.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	now := r.clock.Now()
	v := verdicts{generation: ps.Generation, now: metaTime(now)}
	next, wait, err := r.evaluate(ctx, &ps, now, &v)
	if err != nil {
		return ctrl.Result{}, err
	}
	changed := v.merge(&next.Conditions)
	if later := r.writes.later(req.NamespacedName, &ps.Status, next, now); later > 0 {
		return ctrl.Result{RequeueAfter: min(wait, later)}, nil
	}
	before := ps.DeepCopy()
	ps.Status = *next
	if err := r.client.Status().Patch(ctx, &ps, unlessChanged(before)); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil
		}
		return orConflict(fmt.Errorf("write the status of peak schedule %s: %w", req, err))
	}
	r.writes.wrote(req.NamespacedName, now, before.Status.ObservedGeneration != next.ObservedGeneration)
	emit(r.recorder, &ps, changed)
	return ctrl.Result{RequeueAfter: wait}, nil
}

// evaluate says what a schedule means at now, and how long that stays so. The conditions are those of before: the verdicts are new.
func (r *PeakScheduleReconciler) evaluate(ctx context.Context, ps *v1alpha1.PeakSchedule, now time.Time, v *verdicts) (*v1alpha1.PeakScheduleStatus, time.Duration, error) {
	next := &v1alpha1.PeakScheduleStatus{ObservedGeneration: ps.Generation, Conditions: slices.Clone(ps.Status.Conditions)}
	s, err := r.compiler.schedule(ctx, ps)
	switch {
	case err != nil:
		v.fail(v1alpha1.ConditionReady, "InvalidSpec", "%s", oneLine(err))
		return next, time.Minute, nil // a missing calendar may appear
	case ps.Spec.State == v1alpha1.PeakScheduleSuspended:
		v.ok(v1alpha1.ConditionReady, "Suspended", "state is Suspended: no window counts")
		return next, longestSleep, nil
	}
	forecasts, err := r.forecastsOf(ctx, ps)
	if err != nil {
		return nil, 0, err
	}
	wait := describe(s, now, forecasts, next)
	judge(v, ps, s, forecasts, next.Expired)
	return next, wait, nil
}

// judge says whether a schedule that can be evaluated does anything.
func judge(v *verdicts, ps *v1alpha1.PeakSchedule, s *scheduler.Schedule, forecasts []v1alpha1.Forecast, expired []string) {
	if missing := missingForecasts(ps, forecasts); missing != "" {
		v.fail(v1alpha1.ConditionReady, "ForecastNotFound", "%s", missing)
		return
	}
	reason, message := "Evaluated", "every window can be evaluated"
	if len(expired) == len(ps.Spec.Windows) {
		reason = "Expired"
	}
	if len(expired) > 0 {
		message += "; over and done with: " + strings.Join(expired, ", ")
	}
	for _, warning := range s.Warnings() {
		message += "; warning: " + warning
	}
	v.ok(v1alpha1.ConditionReady, reason, "%s", message)
}

// missingForecasts says which Forecasts a schedule names in vain; empty where it lifts all that it names.
func missingForecasts(ps *v1alpha1.PeakSchedule, forecasts []v1alpha1.Forecast) string {
	var missing []string
	for i, ref := range ps.Spec.ForecastRefs {
		if !slices.ContainsFunc(forecasts, func(fc v1alpha1.Forecast) bool { return fc.Name == ref.Name }) {
			missing = append(missing, fmt.Sprintf("spec.forecastRefs[%d].name %q: there is no Forecast of this name in namespace %s: create it, or correct the name", i, ref.Name, ps.Namespace))
		}
	}
	if len(missing) > 0 {
		return strings.Join(missing, "; ")
	}
	if len(forecasts) == 0 {
		return fmt.Sprintf("spec.forecastSelector %q: it selects no Forecast of namespace %s, and so nothing is lifted: label one, or name it in spec.forecastRefs",
			metav1.FormatLabelSelector(ps.Spec.ForecastSelector), ps.Namespace)
	}
	return ""
}

// describe fills in what the schedule means at now, and returns how long that stays so.
func describe(s *scheduler.Schedule, now time.Time, forecasts []v1alpha1.Forecast, into *v1alpha1.PeakScheduleStatus) time.Duration {
	wait := longestSleep
	if change, ok := s.NextChange(now); ok {
		wait = min(wait, max(change.Sub(now)+time.Millisecond, leastSleep))
	}
	var names []string
	for _, o := range s.Active(now) {
		into.Active = append(into.Active, occurrence(o))
		names = append(names, o.Window)
	}
	into.ActiveWindows = shorten(strings.Join(names, ", "), shownNames)
	for _, o := range s.Next(now, shownNext) {
		into.Next = append(into.Next, occurrence(o))
	}
	into.Expired = s.Expired(now)
	for i := range forecasts[:min(len(forecasts), shownForecasts)] {
		lifted := liftedForecast(&forecasts[i], now, into)
		if lifted.Demand != nil || lifted.DemandAtNext != nil {
			wait = min(wait, demandAge)
		}
		into.Forecasts = append(into.Forecasts, lifted)
	}
	return wait
}

func occurrence(o scheduler.Occurrence) v1alpha1.WindowOccurrence {
	return v1alpha1.WindowOccurrence{Window: o.Window, LocalStart: o.Start.Format("2006-01-02T15:04:05-07:00"), Start: metaTime(o.Start), End: metaTime(o.End)}
}

// shorten cuts a line of plain names to a length.
func shorten(text string, length int) string {
	if len(text) <= length {
		return text
	}
	return text[:length-3] + "..."
}

// forecastsOf lists the Forecasts that a schedule lifts, by name.
func (r *PeakScheduleReconciler) forecastsOf(ctx context.Context, ps *v1alpha1.PeakSchedule) ([]v1alpha1.Forecast, error) {
	var list v1alpha1.ForecastList
	if err := r.client.List(ctx, &list, client.InNamespace(ps.Namespace)); err != nil {
		return nil, fmt.Errorf("list the Forecasts of %s: %w", ps.Namespace, err)
	}
	lifted := slices.DeleteFunc(list.Items, func(fc v1alpha1.Forecast) bool { return !selects(ps, &fc) })
	slices.SortFunc(lifted, func(a, b v1alpha1.Forecast) int { return strings.Compare(a.Name, b.Name) })
	return lifted, nil
}

// liftedForecast says what a Forecast's plan provides for now, while a window is active, and when the next one starts.
func liftedForecast(fc *v1alpha1.Forecast, now time.Time, status *v1alpha1.PeakScheduleStatus) v1alpha1.SelectedForecast {
	lifted := v1alpha1.SelectedForecast{Name: fc.Name}
	if fc.Status.Plan == nil {
		return lifted
	}
	plan, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		return lifted
	}
	at := func(t time.Time) *resource.Quantity {
		value, ok := plan.At(t)
		if !ok {
			return nil
		}
		demand := quantityOf(round(value))
		return &demand
	}
	if len(status.Active) > 0 {
		lifted.Demand = at(now)
	}
	if len(status.Next) > 0 {
		lifted.DemandAtNext = at(status.Next[0].Start.Time)
	}
	return lifted
}

// round leaves three digits of a demand, rounded up, so that a forecast that hardly moves makes no write.
func round(demand float64) float64 {
	if !(demand > 0) || math.IsInf(demand, 0) {
		return demand
	}
	unit := math.Pow(10, math.Floor(math.Log10(demand))-2)
	return math.Ceil(demand/unit-1e-9) * unit
}
