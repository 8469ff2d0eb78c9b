package controller

import (
	"errors"
	"math"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// judgeHistory sets the conditions HistoryReady and Skilled: whether there is a forecast, and
// whether it is good enough to be served.
func (e *evaluation) judgeHistory() {
	if !e.set.HasDemand {
		e.v.ok(v1alpha1.ConditionHistoryReady, reasonNotAsked, "spec.demand is not set: the peaks alone are served")
		e.v.unknown(v1alpha1.ConditionSkilled, reasonNotAsked, "spec.demand is not set")
		return
	}
	if e.state.readErr != nil {
		reason, message := explainRead(e.state.readErr)
		e.v.fail(v1alpha1.ConditionHistoryReady, reason, "%s", message)
	}
	if !e.state.hasRead {
		if e.state.readErr == nil {
			e.v.unknown(v1alpha1.ConditionHistoryReady, "Reading", "history is being read")
		}
		e.v.unknown(v1alpha1.ConditionSkilled, "NoHistory", "there is no history yet")
		return
	}
	if o := e.out.Observed; !math.IsNaN(o.Value) {
		e.next.Observed = &v1alpha1.Sample{Value: quantityOf(o.Value), Time: metaTime(o.At)}
	}
	if err := e.state.step.Model.Err(); err != nil {
		e.v.fail(v1alpha1.ConditionHistoryReady, "NoForecast",
			"no forecast can be made of this series: %s; use a coarser spec.demand.resolution, or a shorter lead (spec.leadTime.max or fixed)", oneLine(err))
		e.v.unknown(v1alpha1.ConditionSkilled, "NoModel", "there is no model yet")
		return
	}
	if e.state.readErr == nil {
		e.v.ok(v1alpha1.ConditionHistoryReady, "Read", "the demand series is read")
	}
	e.judgeSkill()
}

// calendars are the Calendars of the spec that can be evaluated. The condition PeaksValid names the
// others.
func (e *evaluation) calendars() planner.Calendars {
	if invalid := e.found.InvalidCalendars; len(invalid) > 0 {
		e.v.fail(v1alpha1.ConditionPeaksValid, "CalendarInvalid", "%s", oneLine(errors.Join(invalid...)))
	}
	return planner.NewCalendars(e.set.Calendars, e.found)
}

// judgeSkill sets the condition Skilled, and the model in status.
func (e *evaluation) judgeSkill() {
	described, ok := e.state.step.Model.Describe()
	if !ok || e.out.Latest == nil {
		return
	}
	e.next.Model = modelStatus(described)
	if e.out.Latest.Skilled {
		how := "the forecast beats repeating the last season"
		if described.Skill <= 0 {
			how = "the last season is repeated, with a margin: no model beats that yet, and it beats the level as it is"
		}
		e.v.ok(v1alpha1.ConditionSkilled, "Skilled", "%s", how)
		return
	}
	why := "no forecast is better than the level as it is"
	if len(described.Warnings) > 0 {
		why = described.Warnings[0]
	}
	e.v.fail(v1alpha1.ConditionSkilled, "NoSkill", "observed demand and peaks are served instead: %s", why)
}

// explainRead gives a read error a reason and a message that says what to change.
func explainRead(err error) (reason, message string) {
	if kind := history.KindOf(err); kind != "" {
		return string(kind), oneLine(err)
	}
	return "ReadFailed", oneLine(err)
}
