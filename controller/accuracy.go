package controller

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/controller/describe"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/accuracy"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// accuracyTracker returns the tracker of how well the plans covered demand. A process that has none
// yet restores it from status. A new contract or resolution starts from the beginning, since plans
// for another contract cannot be judged by this one.
func (s *forecastState) accuracyTracker(set planner.Settings, status *v1alpha1.AccuracyStatus) *accuracy.Tracker {
	opts := accuracy.Options{Step: set.Step, Contract: set.Contract}
	if s.tracker != nil && s.tracker.Options() == opts {
		return s.tracker
	}
	if s.tracker == nil {
		s.tracker = restoreTracker(opts, status)
	} else {
		s.tracker = nil
	}
	if s.tracker == nil {
		s.tracker, _ = accuracy.New(opts) // No error: the settings were parsed with the same bounds.
	}
	return s.tracker
}

// restoreTracker returns the tracker that status records; nil where status has none for these
// options.
func restoreTracker(opts accuracy.Options, status *v1alpha1.AccuracyStatus) *accuracy.Tracker {
	if status == nil || status.RecordSince == nil || status.RecordUntil == nil || status.Asked != requiredShare(opts) {
		return nil
	}
	record := accuracy.Record{Since: status.RecordSince.Time, Until: status.RecordUntil.Time, Text: status.Record}
	t, err := accuracy.Restore(opts, record)
	if err != nil {
		return nil
	}
	return t
}

// requiredShare is the share of lead windows, or of steps under a shortage cost, that the plan must
// cover.
func requiredShare(o accuracy.Options) v1alpha1.Decimal { return v1alpha1.FormatDecimal(o.Asked(), 4) }

// scoreAccuracy compares the recorded plans with the demand of their lead windows, as far as these
// are over. It sets the condition Drifting, and the accuracy in status.
func (e *evaluation) scoreAccuracy() {
	if !e.set.HasDemand {
		e.conditions.SetUnknown(v1alpha1.ConditionDrifting, reasonNotAsked, "spec.demand is not set")
		return
	}
	t := e.state.accuracyTracker(e.set, e.fc.Status.Accuracy)
	if t == nil {
		return
	}
	if from, pending := t.PendingSince(); pending && e.state.hasRead {
		known := history.Series(planner.Settled(forecaster.Series(e.state.series)))
		fresh := forecaster.Series(known.Between(from, known.End()))
		t.Observe(fresh, e.peaks.Baseline(fresh))
	}
	e.setDriftingCondition(t)
	record := t.Record()
	if record.Text == "" {
		return
	}
	e.next.Accuracy = &v1alpha1.AccuracyStatus{
		Asked:   requiredShare(t.Options()),
		LastDay: accuracyFigures(t.Day(e.now)), LastWeek: accuracyFigures(t.Week(e.now)),
		RecordSince: new(kube.MetaTime(record.Since)), RecordUntil: new(kube.MetaTime(record.Until)), Record: record.Text,
	}
}

func (e *evaluation) setDriftingCondition(t *accuracy.Tracker) {
	drifting := meta.IsStatusConditionTrue(e.fc.Status.Conditions, v1alpha1.ConditionDrifting)
	result := t.Verdict(e.now, drifting)
	units := "lead windows"
	if e.set.Contract.ShortageCost > 0 {
		units = "steps"
	}
	switch result.State {
	case accuracy.Missed:
		period := "week"
		if result.Over <= 24*time.Hour {
			period = "day"
		}
		e.conditions.SetTrue(v1alpha1.ConditionDrifting, "LevelMissed",
			"the plan covered %.1f %% of the %s of the last %s, and should cover %.1f %% "+
				"(p = %.1g, %.0f independent %s): check whether demand has changed, a peak is not declared, "+
				"or bounds.max is too low; models are fitted again every %s of data; "+
				"until then raise bounds.min or the service level",
			100*result.Covered, units, period, 100*result.Asked, result.P, result.Independent, units,
			v1alpha1.FormatDuration(forecaster.FitInterval(e.set.Step)))
	case accuracy.Holds:
		e.conditions.SetFalse(v1alpha1.ConditionDrifting, "LevelHolds",
			"the %s that the plan did not cover are within chance", units)
	case accuracy.Unknown:
		e.conditions.SetUnknown(v1alpha1.ConditionDrifting, "TooFewWindows", "a decision needs a day of served plans")
	}
}

// ownPart returns the part of the published plan that is for the service's own demand. What
// overflows from another cluster is that cluster's forecast, and is known here as status has it.
func (e *evaluation) ownPart(published *plan.Plan) *plan.Plan {
	if e.set.OverflowOf == nil || !e.set.HasDemand {
		return published
	}
	over := clusters.Restore(e.fc.Status.OverflowOf, clusters.Reference(*e.set.OverflowOf), e.now)
	if over.Timeline == nil {
		return published
	}
	return (&planner.Beyond{Timeline: *over.Timeline, Lead: over.Lead}).Own(published, e.leadTime)
}

// recordPromises records what was served for the service's own demand, from the last recorded step
// up to now. The tracker scores it once the lead windows are over. before is that part of the plan
// that was published before this evaluation. Steps without a value, because no forecast has skill,
// are not recorded.
func (e *evaluation) recordPromises(before *plan.Plan) {
	t := e.state.tracker
	if t == nil || !e.set.HasDemand {
		return
	}
	lead, current := planner.LeadSteps(e.leadTime, e.set.Step), history.FloorTo(e.now, e.set.Step)
	if before != nil { // There was no evaluation at these steps: the plan before was served.
		from := before.Start
		for _, recorded := range []time.Time{t.PromisedUntil(), e.state.promised} {
			if !recorded.Before(from) {
				from = recorded.Add(e.set.Step)
			}
		}
		for at := from; at.Before(current); at = at.Add(e.set.Step) {
			if v, ok := before.At(at); ok {
				t.Promise(accuracy.Promise{At: at, Lead: lead, Served: v})
			}
		}
	}
	if own := e.ownPart(e.state.step.Published); own != nil {
		if v, ok := own.At(current); ok {
			all, _ := e.state.step.Published.At(current)
			if observed := e.out.Observed.Value; observed > all { // false for NaN
				v += observed - all
			}
			t.Promise(accuracy.Promise{At: current, Lead: lead, Served: v})
		}
	}
	e.state.promised = current
	if o := e.out.Outlook; o != nil && o.Skilled && len(o.Cover) > 0 && len(o.Median) > lead {
		t.Estimate(accuracy.Estimate{
			At: o.Start, Lead: o.Lead, Cover: o.Cover[0], Benchmarks: o.Benchmarks,
			Expected: o.Median[min(o.Lead, len(o.Median)-1)],
		})
	}
}

// accuracyFigures formats figures for status. An unknown figure is empty.
func accuracyFigures(f accuracy.Figures) *v1alpha1.AccuracyFigures {
	text := func(v float64) string {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return ""
		}
		return describe.Figure(v)
	}
	return &v1alpha1.AccuracyFigures{
		Windows:  int32(min(f.Promises, math.MaxInt32)), //nolint:gosec // bounded
		Coverage: text(f.Covered), Skill: text(f.Skill), Bias: text(f.Bias),
	}
}
