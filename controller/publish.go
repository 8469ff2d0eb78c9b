package controller

import (
	"cmp"
	"context"
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

// publish writes the status where the plan, a condition or the spec changed enough to be worth one
// of the hour's writes.
func (e *evaluation) publish(ctx context.Context) error {
	changed := e.v.merge(&e.next.Conditions)
	e.keepWhatIsKnown()
	worth := e.worthAWrite(len(changed) > 0)
	if worth && e.out.Plan != nil {
		encoded := e.out.Plan.Encode()
		e.next.Plan = &encoded
	}
	if served, err := e.out.Serve(cmp.Or(e.out.Plan, e.state.step.Published)); err == nil {
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

// worthAWrite reports whether the hour's writes allow for this one. A new spec is always answered.
func (e *evaluation) worthAWrite(changed bool) bool {
	if e.fc.Status.ObservedGeneration != e.fc.Generation {
		return true
	}
	if changed && e.state.step.Publisher.Affords(e.now) {
		return true
	}
	return e.out.Publish.Publish
}

// keepWhatIsKnown carries over what this pass could not renew. A plan stays until it is replaced, or
// the Forecast is paused.
func (e *evaluation) keepWhatIsKnown() {
	was := &e.fc.Status
	if e.set.Mode != v1alpha1.ForecastPaused {
		e.next.Plan = was.Plan
	}
	if e.out.Plan == nil && e.set.Mode != v1alpha1.ForecastPaused {
		e.next.NextPeak = was.NextPeak
	}
	if e.next.Model == nil {
		e.next.Model = was.Model
	}
	if e.next.Accuracy == nil && e.set.HasDemand {
		e.next.Accuracy = was.Accuracy
	}
	if e.next.Observed == nil {
		e.next.Observed = was.Observed
	}
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
