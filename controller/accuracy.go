package controller

import (
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/accuracy"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// track returns the record of how good the plan turned out to be, restored from status where this process does not have it yet. What was
// promised under another contract or resolution says nothing about this one.
func (s *forecastState) track(set planner.Settings, status *v1alpha1.AccuracyStatus) *accuracy.Tracker {
	opts := accuracy.Options{Step: set.Step, Contract: set.Contract}
	if s.tracker != nil && s.tracker.Options() == opts {
		return s.tracker
	}
	fresh := s.tracker == nil
	s.tracker = nil
	if fresh && status != nil && status.RecordSince != nil && status.RecordUntil != nil && status.Asked == askedOf(opts) {
		record := accuracy.Record{Since: status.RecordSince.Time, Until: status.RecordUntil.Time, Text: status.Record}
		if t, err := accuracy.Restore(opts, record); err == nil {
			s.tracker = t
		}
	}
	if s.tracker == nil {
		t, err := accuracy.New(opts)
		if err != nil {
			return nil // the settings were parsed with the same bounds
		}
		s.tracker = t
	}
	return s.tracker
}

func askedOf(o accuracy.Options) v1alpha1.Decimal { return v1alpha1.FormatDecimal(o.Asked(), 4) }

// score takes in how promises turned out whose windows are over by now, and says whether the level that was asked for is missed.
func (e *evaluation) score() {
	if !e.set.HasDemand {
		e.v.unknown(v1alpha1.ConditionDrifting, reasonNotAsked, "spec.demand is not set")
		return
	}
	t := e.state.track(e.set, e.fc.Status.Accuracy)
	if t == nil {
		return
	}
	if from, pending := t.PendingSince(); pending && e.state.hasRead {
		known := history.Series(planner.Settled(forecaster.Series(e.state.series)))
		fresh := forecaster.Series(known.Between(from, known.End()))
		t.Observe(fresh, e.peaks.Baseline(fresh))
	}
	e.judgeDrift(t)
	record := t.Record()
	if record.Text == "" {
		return
	}
	e.next.Accuracy = &v1alpha1.AccuracyStatus{
		Asked: askedOf(t.Options()), LastDay: figures(t.Day(e.now)), LastWeek: figures(t.Week(e.now)),
		RecordSince: new(metaTime(record.Since)), RecordUntil: new(metaTime(record.Until)), Record: record.Text,
	}
}

func (e *evaluation) judgeDrift(t *accuracy.Tracker) {
	was := e.fc.Status.Conditions
	verdict := t.Verdict(e.now, isTrue(was, v1alpha1.ConditionDrifting))
	what := "lead windows"
	if e.set.Contract.ShortageCost > 0 {
		what = "steps"
	}
	switch verdict.State {
	case accuracy.Missed:
		e.v.ok(v1alpha1.ConditionDrifting, "LevelMissed", "of the %s of the last %s the plan covered %.1f %%, and %.1f %% were asked for (p = %.1g on %.0f independent ones): "+
			"look whether demand behaves in a new way, whether a peak was not declared or bounds.max caps the plan; models learn anew every %s of data; until they have, raise bounds.min or the service level",
			what, spanName(verdict.Over), 100*verdict.Covered, 100*verdict.Asked, verdict.P, verdict.Independent,
			v1alpha1.FormatDuration(forecaster.FitInterval(e.set.Step)))
	case accuracy.Holds:
		e.v.fail(v1alpha1.ConditionDrifting, "LevelHolds", "what the plan did not cover is not more than chance explains")
	case accuracy.Unknown:
		e.v.unknown(v1alpha1.ConditionDrifting, "TooFewWindows", "a verdict takes a day of served plans")
	}
}

func spanName(d time.Duration) string {
	if d <= 24*time.Hour {
		return "day"
	}
	return "week"
}

// promise notes what the plan in force says for the steps from the last note up to now, to be scored once their windows are over. A plan
// that says nothing about a step, for want of skill, promises nothing.
func (e *evaluation) promise(before *plan.Plan) {
	t := e.state.tracker
	if t == nil || !e.set.HasDemand {
		return
	}
	lead, here := planner.LeadSteps(e.leadTime, e.set.Step), history.FloorTo(e.now, e.set.Step)
	if before != nil { // steps at which nobody looked: the plan of then was in force
		from := before.Start
		for _, noted := range []time.Time{t.PromisedUntil(), e.state.promised} {
			if !noted.Before(from) {
				from = noted.Add(e.set.Step)
			}
		}
		for at := from; at.Before(here); at = at.Add(e.set.Step) {
			if v, ok := before.At(at); ok {
				t.Promise(accuracy.Promise{At: at, Lead: lead, Served: v})
			}
		}
	}
	if e.state.step.Published != nil {
		if v, ok := e.state.step.Published.At(here); ok {
			if observed := e.out.Observed.Value; !math.IsNaN(observed) {
				v = math.Max(v, observed)
			}
			t.Promise(accuracy.Promise{At: here, Lead: lead, Served: v})
		}
	}
	e.state.promised = here
	if o := e.out.Outlook; o != nil && o.Skilled && len(o.Cover) > 0 && len(o.Median) > lead {
		t.Estimate(accuracy.Estimate{At: o.Start, Lead: o.Lead, Cover: o.Cover[0], Benchmarks: o.Benchmarks, Expected: o.Median[min(o.Lead, len(o.Median)-1)]})
	}
}

// figures are written with a sign and three digits; what is not known is left out.
func figures(f accuracy.Figures) *v1alpha1.AccuracyFigures {
	text := func(v float64) string {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return ""
		}
		return signed(v)
	}
	return &v1alpha1.AccuracyFigures{Windows: int32(min(f.Promises, math.MaxInt32)), Coverage: text(f.Covered), Skill: text(f.Skill), Bias: text(f.Bias)} //nolint:gosec // bounded
}
