package controller

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

// plan builds the timeline; nil where there is nothing to plan with yet.
func (e *evaluation) plan() *plan.Plan {
	step, steps, lead := e.set.step, int(e.set.horizon/e.set.step), e.leadSteps()
	start := history.FloorTo(e.now, step)
	if e.outlook != nil && !e.now.Before(e.outlook.Start.Add(time.Duration(steps)*step)) {
		e.outlook = nil // history has not been read for a whole horizon: nothing of the forecast is left
	}
	switch {
	case e.outlook != nil:
		start = e.outlook.Start
	case e.set.hasDemand && (len(e.peaks.schedules) == 0 || e.foretold()):
		e.keepServing()
		return nil
	case e.nothingAsked() && (e.state.plan == nil || len(e.peaks.errs) > 0):
		// An HPA that reads 0 goes to its minimum. A published plan is replaced where its peaks were taken back, and not where they cannot be evaluated any more.
		e.keepServing()
		return nil
	}
	built, notes, err := planner.Build(planner.Input{
		Now: e.now, Outlook: e.outlook, Start: start, Step: step, Horizon: steps, Lead: lead,
		Peaks:    scheduler.Timeline(e.peaks.schedules, start, step, steps+lead+1),
		Observed: e.observed, Capacity: e.capacity, Ramp: e.scaling.ramp,
		Min: e.set.min, Max: e.set.max, MaxReplicas: e.scaling.maxReplicas, PeaksAlone: !e.set.hasDemand, PeakBase: e.peakBase(start),
	})
	if err != nil {
		e.keepServing()
		e.v.fail(v1alpha1.ConditionServing, "PlanFailed", "no new plan can be made: %s; check spec.behavior.scaleUp and averageValue of the HPA that reads the forecast (%s), and spec.capacityPerReplica; %s",
			oneLine(err), e.hpaName(), e.v.get(v1alpha1.ConditionServing).Message)
		return nil
	}
	e.judgeCeiling(notes)
	e.next.NextPeak = e.nextPeak()
	e.v.ok(v1alpha1.ConditionServing, "PlanPublished", "the plan is published")
	return &built
}

func (e *evaluation) hpaName() string {
	if e.scaling.from == "" {
		return "none yet"
	}
	return e.scaling.from
}

// foretold says whether the published plan rests on a forecast and still lasts a while: then peaks alone do not replace it, after a
// restart in the middle of an outage of Prometheus, say.
func (e *evaluation) foretold() bool {
	return e.kept() == keptForecast && e.now.Add(2*e.set.step).Before(e.state.plan.End())
}

// kept is what the published plan has to serve.
func (e *evaluation) kept() kept {
	if e.state.plan == nil {
		return keptNothing
	}
	for _, s := range e.state.plan.Segments {
		if slices.ContainsFunc(s.Values, math.IsNaN) {
			return keptPeaks
		}
	}
	return keptForecast
}

// blamed is the condition that says why no plan can be made.
func (e *evaluation) blamed() string {
	if !e.set.hasDemand {
		return v1alpha1.ConditionPeaksValid
	}
	return v1alpha1.ConditionHistoryReady
}

// keepServing says what is served while no new plan can be made.
func (e *evaluation) keepServing() {
	if e.state.plan != nil && !e.now.Before(e.state.plan.End()) {
		e.v.fail(v1alpha1.ConditionServing, "PlanExpired", "the plan ended at %s and no new one can be made; onPlanExpiry is %s: see %s for what to mend",
			e.state.plan.End().UTC().Format(time.RFC3339), e.set.expiry, e.blamed())
		return
	}
	if e.state.plan == nil && !e.set.hasDemand {
		e.v.unknown(v1alpha1.ConditionServing, "NoPlan", "there is no plan yet, and nothing is served: see PeaksValid for what to mend")
		return
	}
	if e.state.plan == nil {
		e.v.unknown(v1alpha1.ConditionServing, "NoPlan", "there is no plan yet: observed demand is served where it can be polled")
		return
	}
	e.v.ok(v1alpha1.ConditionServing, reasonLastPlan, "the last plan is served until %s", e.state.plan.End().UTC().Format(time.RFC3339))
}

func (e *evaluation) judgeCeiling(notes planner.Notes) {
	if e.scaling.maxReplicas == 0 {
		return
	}
	if notes.Shortage == nil {
		e.v.ok(v1alpha1.ConditionWithinMaxReplicas, "Enough", "the plan stays within maxReplicas of HPA %s", e.scaling.from)
		return
	}
	e.v.fail(v1alpha1.ConditionWithinMaxReplicas, "MaxReplicasTooLow", "%s in HPA %s, and see that the cluster has room", notes.Shortage, e.scaling.from)
}
