package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/spending"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/terms"
	"headstart.dev/headstart/scheduler"
)

// evaluation is one evaluation of one Forecast.
type evaluation struct {
	*ForecastReconciler
	fc    *v1alpha1.Forecast
	state *forecastState
	set   planner.Settings
	now   time.Time

	capacity float64
	lead     gpuwarm.Lead
	leadTime time.Duration
	found    scheduler.Selection // The PeakSchedules and Calendars of the Forecast.
	peaks    planner.Peaks
	out      planner.StepOutput
	// overflowRefused says that the overflow of another cluster must not be planned for.
	overflowRefused bool
	fetch           evidence.Fetcher // Reads what the capacity is learned from.
	switches        bool             // To other weights of the terms.

	conditions conditionSet
	next       v1alpha1.ForecastStatus
}

// evaluate makes the plan of one Forecast from what is known now, and writes it when it is worth a
// write.
func (r *ForecastReconciler) evaluate(
	ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, set planner.Settings, now time.Time,
) error {
	return r.newEvaluation(fc, state, set, now).run(ctx)
}

func (r *ForecastReconciler) newEvaluation(
	fc *v1alpha1.Forecast, state *forecastState, set planner.Settings, now time.Time,
) *evaluation {
	e := &evaluation{ForecastReconciler: r, fc: fc, state: state, set: set, now: now, fetch: r.fetch}
	e.conditions = newConditionSet(fc.Generation, now)
	e.next = v1alpha1.ForecastStatus{
		ObservedGeneration: fc.Generation, Conditions: slices.Clone(fc.Status.Conditions), DemandWeights: terms.Kept(fc),
	}
	return e
}

// run reads what the plan depends on, makes it, sets the conditions and writes the status.
func (e *evaluation) run(ctx context.Context) error {
	e.state.decode()
	defer func() { e.state.step.Published = nil }()
	if err := e.readAutoscalers(ctx); err != nil {
		return err
	}
	if err := e.readLead(ctx); err != nil {
		return err
	}
	if err := e.observeReplicas(ctx); err != nil {
		return err
	}
	e.setObservedCondition()
	in, err := e.stepInput(ctx)
	if err != nil {
		return err
	}
	e.restoreSpend()
	e.fits.Run(func() { e.out, e.state.step = planner.Step(in, e.state.step) })
	if e.dropsPlan() {
		e.state.step.Published = nil
	}
	if e.set.Mode == v1alpha1.ForecastPaused {
		e.conditions.SetUnknown(v1alpha1.ConditionServing, "Paused", "mode is Paused: observed demand is served")
		e.conditions.setReadyCondition(e.set.Mode, planner.BasisNone)
		return e.publish(ctx)
	}
	e.setHistoryConditions()
	e.setOverloadedCondition()
	e.scoreAccuracy()
	e.setServingCondition()
	e.setSpend()
	e.setOverflow()
	before := e.ownPart(e.state.step.Published)
	e.conditions.setReadyCondition(e.set.Mode, planner.BasisOf(e.state.step.Published))
	err = e.publish(ctx)
	e.recordPromises(before)
	return err
}

// restoreSpend has the planner continue to count what plans ask for, where that is bounded.
func (e *evaluation) restoreSpend() {
	step := &e.state.step
	if !(e.set.AtMost > 0) {
		step.Spend = nil
		return
	}
	if step.Spend == nil {
		step.Spend = planner.RestoreSpend(e.fc.Status.Spend, e.now)
	}
	e.next.Spend = e.fc.Status.Spend
}

// setSpend sets the condition SpendLimited, and what plans ask for in status and metrics.
func (e *evaluation) setSpend() {
	e.metrics.spend.Observe(client.ObjectKeyFromObject(e.fc), e.set.AtMost, e.out.Spend)
	if !(e.set.AtMost > 0) {
		return
	}
	if e.out.Spend != nil {
		e.next.Spend = spending.Status(e.state.step.Spend, *e.out.Spend)
	}
	limited := meta.IsStatusConditionTrue(e.fc.Status.Conditions, v1alpha1.ConditionSpendLimited)
	spending.SetCondition(&e.conditions.Set, e.set, e.out.Spend, e.capacity, limited)
}

// stepInput collects the input of the planner's step.
func (e *evaluation) stepInput(ctx context.Context) (planner.StepInput, error) {
	in := planner.StepInput{
		Now: e.now, Settings: e.set, Lead: e.leadTime, Capacity: e.capacity,
		MaxObservedAge: e.set.Settle + 3*e.set.Step,
	}
	in.Beyond = e.readOverflowOf()
	e.set.Step = in.Beyond.FinerStep(e.set)
	in.Settings = e.set
	if e.set.Mode == v1alpha1.ForecastPaused {
		return in, nil
	}
	if err := e.readPeaks(ctx); err != nil {
		return in, err
	}
	in.Peaks = e.peaks
	limits, err := e.readLimits(ctx)
	if err != nil {
		return in, err
	}
	in.Limits = limits
	if e.set.HasDemand && e.state.hasRead {
		in.Series, in.Calendars = e.state.known(), e.calendars()
	}
	return in, nil
}
