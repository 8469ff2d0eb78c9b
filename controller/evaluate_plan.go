package controller

import (
	"cmp"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// judgePlan sets the conditions Serving and WithinMaxReplicas.
func (e *evaluation) judgePlan() {
	switch e.out.Outcome {
	case planner.Planned:
		e.judgeMaxReplicas()
		e.next.NextPeak = e.nextPeak()
		e.v.ok(v1alpha1.ConditionServing, "PlanPublished", "the plan is published")
	case planner.BuildFailed:
		e.keepServing()
		e.v.fail(v1alpha1.ConditionServing, "PlanFailed", "no new plan can be made: %s; check spec.behavior.scaleUp and averageValue of the HPA that reads the forecast (%s), and spec.capacityPerReplica; %s",
			oneLine(e.out.Err), cmp.Or(e.set.Scaling.Name, "none yet"), e.v.get(v1alpha1.ConditionServing).Message)
	default:
		e.keepServing()
	}
}

// causeOfNoPlan is the condition that says why no plan can be made.
func (e *evaluation) causeOfNoPlan() string {
	if !e.set.HasDemand {
		return v1alpha1.ConditionPeaksValid
	}
	return v1alpha1.ConditionHistoryReady
}

// keepServing sets the condition Serving while no new plan can be made.
func (e *evaluation) keepServing() {
	last := e.state.step.Published
	switch {
	case last != nil && !e.now.Before(last.End()):
		e.v.fail(v1alpha1.ConditionServing, "PlanExpired", "the plan ended at %s and no new one can be made; onPlanExpiry is %s: see %s for what to mend",
			last.End().UTC().Format(time.RFC3339), e.set.Expiry, e.causeOfNoPlan())
	case last != nil:
		e.v.ok(v1alpha1.ConditionServing, reasonLastPlan, "the last plan is served until %s", last.End().UTC().Format(time.RFC3339))
	case !e.set.HasDemand:
		e.v.unknown(v1alpha1.ConditionServing, "NoPlan", "there is no plan yet, and nothing is served: see PeaksValid for what to mend")
	default:
		e.v.unknown(v1alpha1.ConditionServing, "NoPlan", "there is no plan yet: observed demand is served where it can be polled")
	}
}

// judgeMaxReplicas sets the condition WithinMaxReplicas.
func (e *evaluation) judgeMaxReplicas() {
	scaling, shortage := e.set.Scaling, e.out.Notes.Shortage
	switch {
	case scaling.MaxReplicas == 0:
	case shortage == nil:
		e.v.ok(v1alpha1.ConditionWithinMaxReplicas, "Enough", "the plan stays within maxReplicas of HPA %s", scaling.Name)
	default:
		e.v.fail(v1alpha1.ConditionWithinMaxReplicas, "MaxReplicasTooLow", "%s in HPA %s, and see that the cluster has room", shortage, scaling.Name)
	}
}
