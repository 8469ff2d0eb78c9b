package controller

import (
	"context"
	"fmt"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
)

// forecast brings the model up to date and says how well founded it is.
func (e *evaluation) forecast(ctx context.Context) error {
	if !e.set.hasDemand {
		e.v.ok(v1alpha1.ConditionHistoryReady, reasonNotAsked, "spec.demand is not set: the peaks alone are served")
		e.v.unknown(v1alpha1.ConditionSkilled, reasonNotAsked, "spec.demand is not set")
		return nil
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
		return nil
	}
	if value, at, ok := last(e.state.series); ok {
		e.observed, e.at = value, at
		e.next.Observed = &v1alpha1.Sample{Value: quantityOf(value), Time: metaTime(at)}
	}
	days, daysKey := e.days(ctx)
	e.state.advance(e.set, e.leadSteps(), days, e.peaks, daysKey)
	e.judgeForecast()
	return nil
}

// days are the named days of the Forecast's calendars, over history and horizon.
func (e *evaluation) days(ctx context.Context) ([]forecaster.Day, string) {
	if len(e.set.calendars) == 0 {
		return nil, ""
	}
	calendars, version, err := e.compiler.calendarsNamed(ctx, e.set.calendars)
	if err != nil {
		e.v.fail(v1alpha1.ConditionPeaksValid, "CalendarInvalid", "%s", oneLine(err))
	}
	// The span is widened to whole weeks, so that the same days come back, and the model stays, while time goes on.
	from := e.now.Add(-e.set.history).Truncate(7 * 24 * time.Hour)
	to := e.now.Add(e.set.horizon).Truncate(7 * 24 * time.Hour).Add(14 * 24 * time.Hour)
	var days []forecaster.Day
	for _, name := range e.set.calendars {
		if c := calendars[name]; c != nil {
			for _, d := range c.Days(e.set.location, from, to) {
				days = append(days, forecaster.Day{Name: d.Name, Start: d.Start, End: d.End})
			}
		}
	}
	return days, fmt.Sprintf("%s|%d", version, from.Unix())
}

func (e *evaluation) judgeForecast() {
	if e.state.modelErr != nil {
		e.v.fail(v1alpha1.ConditionHistoryReady, "NoForecast", "no forecast can be made of this series: %s; use a coarser spec.demand.resolution, or a shorter lead (spec.leadTime.max or fixed)", oneLine(e.state.modelErr))
		e.v.unknown(v1alpha1.ConditionSkilled, "NoModel", "there is no model yet")
		return
	}
	if e.state.readErr == nil {
		e.v.ok(v1alpha1.ConditionHistoryReady, "Read", "the demand series is read")
	}
	outlook := e.state.model.Outlook()
	e.outlook = &outlook
	described := e.state.model.Describe()
	e.next.Model = modelStatus(described)
	if outlook.Skilled {
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
