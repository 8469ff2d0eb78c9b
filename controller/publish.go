package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/planner"
)

// publish writes the status when the plan, a condition or the spec changed enough to be worth one
// of the hour's writes.
func (e *evaluation) publish(ctx context.Context) error {
	changed := e.conditions.Merge(&e.next.Conditions)
	e.carryOver()
	worth := e.worthAWrite(len(changed) > 0)
	if worth && e.out.Plan != nil {
		encoded := e.out.Plan.Encode()
		e.next.Plan = &encoded
	}
	current := cmp.Or(e.out.Plan, e.state.step.Published)
	if served, err := e.out.Serve(current); err == nil {
		e.next.Served = &v1alpha1.Sample{Value: kube.QuantityOf(served.Value), Time: kube.MetaTime(e.now)}
	}
	e.metrics.observe(client.ObjectKeyFromObject(e.fc), &e.next, e.leadTime)
	e.metrics.observeNotes(client.ObjectKeyFromObject(e.fc), e.state.notes)
	e.observeShares(current)
	if !worth {
		return nil
	}
	if err := e.write(ctx, e.fc, e.state, &e.next, changed); err != nil {
		return err
	}
	e.state.adopt(e.next.Plan)
	return nil
}

// worthAWrite reports whether this status is worth a write. A new generation of the spec always is.
func (e *evaluation) worthAWrite(changed bool) bool {
	if e.switches {
		return e.out.Plan != nil
	}
	if e.fc.Status.ObservedGeneration != e.fc.Generation {
		return true
	}
	changed = changed || overflowChanged(e.fc.Status.Overflow, e.next.Overflow) ||
		evidence.Changed(e.fc.Status.CapacityPerReplica, e.next.CapacityPerReplica) ||
		!slices.Equal(chainIn(e.fc.Status.OverflowOf), chainIn(e.next.OverflowOf))
	if changed && e.state.step.Publisher.Affords(e.now) {
		return true
	}
	lacks := evidence.Lacks(e.fc.Status.CapacityPerReplica, e.next.CapacityPerReplica)
	if e.state.step.Publisher.AffordsChange(e.now, lacks) {
		return true
	}
	return e.out.Publish.Publish
}

// carryOver copies from the old status what this evaluation did not renew. A plan stays until it is
// replaced, the Forecast is paused, or what it was made for is refused.
func (e *evaluation) carryOver() {
	old := &e.fc.Status
	keeps := e.set.Mode != v1alpha1.ForecastPaused && !e.dropsPlan()
	if keeps {
		e.next.Plan = old.Plan
	}
	if e.out.Plan == nil && keeps {
		e.next.NextPeak = old.NextPeak
	}
	if e.next.Model == nil {
		e.next.Model = old.Model
	}
	if e.next.Accuracy == nil && e.set.HasDemand {
		e.next.Accuracy = old.Accuracy
	}
	if e.next.Observed == nil {
		e.next.Observed = old.Observed
	}
}

// setServingCondition sets the condition Serving. With a new plan it also sets WithinMaxReplicas,
// and the next peak in status.
func (e *evaluation) setServingCondition() {
	switch e.out.Outcome {
	case planner.Planned:
		e.setWithinMaxReplicasCondition()
		e.next.NextPeak = e.nextPeak()
		e.conditions.SetTrue(v1alpha1.ConditionServing, "PlanPublished", "the plan is published")
	case planner.BuildFailed:
		e.setServingWithoutNewPlan()
		e.conditions.SetFalse(v1alpha1.ConditionServing, "PlanFailed",
			"no new plan can be made: %s; check %s; %s",
			kube.OneLine(e.out.Err), whatPlansNeed(e.set.Scaling), e.conditions.Get(v1alpha1.ConditionServing).Message)
	default:
		e.setServingWithoutNewPlan()
	}
}

// whatPlansNeed names the settings without which no plan can be made.
func whatPlansNeed(scaling planner.Scaling) string {
	if scaling.Name == "" {
		return "spec.capacityPerReplica"
	}
	fields := scaling.Fields()
	return fmt.Sprintf("spec.%s.scaleUp and %s of %s, and spec.capacityPerReplica",
		fields.Behavior, fields.Capacity, scaling.Who())
}

// setServingWithoutNewPlan sets the condition Serving while no new plan can be made.
func (e *evaluation) setServingWithoutNewPlan() {
	last, cause := e.state.step.Published, v1alpha1.ConditionHistoryReady
	if !e.set.HasDemand {
		cause = v1alpha1.ConditionPeaksValid
	}
	if e.out.Outcome == planner.OverflowUnknown || e.out.Outcome == planner.OverflowEnded {
		cause = v1alpha1.ConditionOverflowRead
	}
	switch {
	case last != nil && !e.now.Before(last.End()):
		e.conditions.SetFalse(v1alpha1.ConditionServing, "PlanExpired",
			"the plan ended at %s and no new one can be made; onPlanExpiry is %s: see %s for what to change",
			last.End().UTC().Format(time.RFC3339), e.set.Expiry, cause)
	case last != nil:
		e.conditions.SetTrue(v1alpha1.ConditionServing, reasonLastPlan,
			"the last plan is served until %s", last.End().UTC().Format(time.RFC3339))
	case !e.set.HasDemand:
		e.conditions.SetUnknown(v1alpha1.ConditionServing, "NoPlan",
			"there is no plan yet, and nothing is served: see %s for what to change", cause)
	default:
		e.conditions.SetUnknown(v1alpha1.ConditionServing, "NoPlan",
			"there is no plan yet: observed demand is served where it can be polled")
	}
}

// setWithinMaxReplicasCondition sets the condition WithinMaxReplicas, if there is an HPA.
func (e *evaluation) setWithinMaxReplicasCondition() {
	scaling, shortage := e.set.Scaling, e.out.Notes.Shortage
	switch {
	case scaling.MaxReplicas == 0:
	case shortage == nil:
		e.conditions.SetTrue(v1alpha1.ConditionWithinMaxReplicas, "Enough",
			"the plan stays within %s of %s", scaling.Fields().MaxReplicas, scaling.Who())
	default:
		e.conditions.SetFalse(v1alpha1.ConditionWithinMaxReplicas, "MaxReplicasTooLow",
			"%s, but %s of %s is %d: raise it, and check that the cluster has enough nodes",
			shortage, scaling.Fields().MaxReplicas, scaling.Who(), shortage.Max)
	}
}
