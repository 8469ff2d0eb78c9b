package controller

import (
	"cmp"
	"context"
	"math"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

func cloneConditions(c []metav1.Condition) []metav1.Condition { return slices.Clone(c) }

// publish writes the status where the plan, a condition or the spec changed enough to be worth one of the hour's writes.
func (e *evaluation) publish(ctx context.Context, plan *plan.Plan) error {
	changed := e.v.merge(&e.next.Conditions)
	e.keepWhatIsKnown(plan)
	worth := e.worthAWrite(plan, len(changed) > 0)
	if worth && plan != nil {
		encoded := plan.Encode()
		e.next.Plan = &encoded
	}
	if served, err := e.serveNow(plan); err == nil {
		e.next.Served = &v1alpha1.Sample{Value: quantityOf(served.Value), Time: metaTime(e.now)}
	}
	e.metrics.observe(types.NamespacedName{Namespace: e.fc.Namespace, Name: e.fc.Name}, &e.next, e.leadTime)
	if !worth {
		return nil
	}
	if err := e.write(ctx, e.fc, e.state, &e.next, changed); err != nil {
		return err
	}
	e.state.adopt(e.next.Plan)
	return nil
}

// worthAWrite says whether the hour's writes allow for this one. A spec that was not answered yet is always answered.
func (e *evaluation) worthAWrite(plan *plan.Plan, changed bool) bool {
	if e.fc.Status.ObservedGeneration != e.fc.Generation {
		return true
	}
	if changed && e.state.publisher.Affords(e.now) {
		return true
	}
	return plan != nil && e.state.publisher.Decide(e.now, e.state.plan, *plan, e.leadTime).Publish
}

// keepWhatIsKnown carries over what this pass could not renew. A plan lives until it is outlived, or the Forecast is paused.
func (e *evaluation) keepWhatIsKnown(plan *plan.Plan) {
	was := &e.fc.Status
	if e.set.mode != v1alpha1.ForecastPaused {
		e.next.Plan = was.Plan
	}
	if plan == nil && e.set.mode != v1alpha1.ForecastPaused {
		e.next.NextPeak = was.NextPeak
	}
	if e.next.Model == nil {
		e.next.Model = was.Model
	}
	if e.next.Accuracy == nil && e.set.hasDemand {
		e.next.Accuracy = was.Accuracy
	}
	if e.next.Observed == nil {
		e.next.Observed = was.Observed
	}
}

func (e *evaluation) serveNow(plan *plan.Plan) (planner.Served, error) {
	if plan == nil {
		plan = e.state.plan
	}
	return planner.Serve(planner.ServeInput{
		Plan: plan, Mode: e.set.mode, Expiry: e.set.expiry, Static: e.set.static,
		Min: e.set.min, Observed: e.observed, ObservedAt: e.at, MaxObservedAge: e.set.settle + 3*e.set.step, Now: e.now,
	})
}

// modelStatus says in status what a forecast rests on.
func modelStatus(d forecaster.Description) *v1alpha1.ModelStatus {
	out := &v1alpha1.ModelStatus{Points: int32(min(d.Points, math.MaxInt32))} //nolint:gosec // bounded
	if !d.FittedAt.IsZero() {
		at := metaTime(d.FittedAt)
		out.FittedAt = &at
	}
	for _, p := range d.Periods[:min(len(d.Periods), 4)] {
		out.Periods = append(out.Periods, v1alpha1.FormatDuration(p))
	}
	if !math.IsNaN(d.Skill) && !math.IsInf(d.Skill, 0) {
		out.Skill = signed(d.Skill)
	}
	if !math.IsNaN(d.Coverage) {
		out.Coverage = signed(d.Coverage)
	}
	models := slices.Clone(d.Models)
	slices.SortStableFunc(models, func(a, b forecaster.Weight) int { return cmp.Compare(b.Share, a.Share) })
	for _, w := range models[:min(len(models), 16)] {
		out.Weights = append(out.Weights, v1alpha1.ModelWeight{Name: w.Model, Weight: v1alpha1.FormatDecimal(math.Max(0, w.Share), 3)})
	}
	out.Warnings = slices.Clone(d.Warnings[:min(len(d.Warnings), 8)])
	return out
}
