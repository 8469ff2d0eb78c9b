package controller

import (
	"errors"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/describe"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/planner"
)

// setHistoryConditions sets the conditions HistoryReady and Skilled: whether there is a forecast,
// and whether it is good enough to be served.
func (e *evaluation) setHistoryConditions() {
	if !e.set.HasDemand {
		e.conditions.SetTrue(v1alpha1.ConditionHistoryReady, reasonNotAsked,
			"spec.demand is not set: no history is needed")
		e.conditions.SetUnknown(v1alpha1.ConditionSkilled, reasonNotAsked, "spec.demand is not set")
		return
	}
	if e.state.readErr != nil {
		reason, message := reads.Explain(e.state.readErr)
		e.conditions.SetFalse(v1alpha1.ConditionHistoryReady, reason, "%s", message)
	}
	if !e.state.hasRead {
		switch {
		case e.state.refused():
			e.conditions.SetFalse(v1alpha1.ConditionHistoryReady, reasonNoNewForecasts,
				"history is not read, because headstart has too little memory; %s", overloadRemedy)
		case e.state.readErr == nil:
			e.conditions.SetUnknown(v1alpha1.ConditionHistoryReady, "Reading", "history is being read")
		}
		e.conditions.SetUnknown(v1alpha1.ConditionSkilled, "NoHistory", "there is no history yet")
		return
	}
	if o := e.out.Observed; !math.IsNaN(o.Value) {
		e.next.Observed = &v1alpha1.Sample{Value: kube.QuantityOf(o.Value), Time: kube.MetaTime(o.At)}
	}
	if err := e.state.step.Model.Err(); err != nil {
		e.conditions.SetFalse(v1alpha1.ConditionHistoryReady, "NoForecast",
			"no forecast can be made of this series: %s; use a coarser spec.demand.resolution, "+
				"or a shorter lead (spec.leadTime.max or fixed)", kube.OneLine(err))
		e.conditions.SetUnknown(v1alpha1.ConditionSkilled, "NoModel", "there is no model yet")
		return
	}
	if e.state.readErr == nil {
		reason, message := reads.Describe(e.state.notes)
		e.conditions.SetTrue(v1alpha1.ConditionHistoryReady, reason, "%s", message)
	}
	e.setSkilledCondition()
}

// calendars returns the Calendars of the spec that can be evaluated. The condition PeaksValid names
// the others.
func (e *evaluation) calendars() planner.Calendars {
	if invalid := e.found.InvalidCalendars; len(invalid) > 0 {
		e.conditions.SetFalse(v1alpha1.ConditionPeaksValid, "CalendarInvalid", "%s", kube.OneLine(errors.Join(invalid...)))
	}
	return planner.NewCalendars(e.set.Calendars, e.found)
}

// setSkilledCondition sets the condition Skilled, and the model in status.
func (e *evaluation) setSkilledCondition() {
	described, ok := e.state.step.Model.Describe()
	if !ok || e.out.Latest == nil {
		return
	}
	e.next.Model = describe.Model(described)
	if e.out.Latest.Skilled {
		how := "the forecast beats repeating the last season"
		if described.Skill <= 0 {
			how = "the last season is repeated, with a margin: no model beats that yet, and it beats the current level"
		}
		e.conditions.SetTrue(v1alpha1.ConditionSkilled, "Skilled", "%s", how)
		return
	}
	why := "no forecast beats the current level"
	if len(described.Warnings) > 0 {
		why = described.Warnings[0]
	}
	e.conditions.SetFalse(v1alpha1.ConditionSkilled, "NoSkill", "%s", why) // Ready says what is served instead
}

// reasonFloorDropped is the reason of the condition Observed while observed demand is no lower
// bound of the served metric, because it is not known.
const reasonFloorDropped = "FloorDropped"

// DemandObserver polls observed demand, the lower bound of what this replica serves. A
// [values.Observer] is one.
type DemandObserver interface {
	// LastPoll returns the result of the last poll for a Forecast.
	LastPoll(types.NamespacedName) values.LastPoll
	// Changes has an event for each Forecast whose observed demand has become too old, or is known
	// again.
	Changes() <-chan event.GenericEvent
	// MaxAge is how old an observation may be to count.
	MaxAge() time.Duration
}

// setObservedCondition sets the condition Observed: whether the served metric never falls below
// observed demand. The condition is about the owner's polls.
func (e *evaluation) setObservedCondition() {
	if !e.set.HasDemand {
		e.conditions.SetUnknown(v1alpha1.ConditionObserved, reasonNotAsked, "spec.demand is not set")
		return
	}
	last := e.demand.LastPoll(types.NamespacedName{Namespace: e.fc.Namespace, Name: e.fc.Name})
	maxAge := e.demand.MaxAge()
	why := "no poll has ended since"
	if last.Err != nil {
		why = kube.OneLine(last.Err)
	}
	switch {
	case last.SucceededAt.IsZero() && last.Err == nil:
		e.conditions.SetUnknown(v1alpha1.ConditionObserved, "NotPolled", "observed demand has not been polled yet")
	case last.SucceededAt.IsZero():
		e.conditions.SetFalse(v1alpha1.ConditionObserved, reasonFloorDropped,
			"observed demand cannot be polled, so the served metric can be below it: %s", why)
	case e.now.Sub(last.SucceededAt) > maxAge:
		e.conditions.SetFalse(v1alpha1.ConditionObserved, reasonFloorDropped,
			"observed demand was last polled at %s, more than three polls (%s) ago, "+
				"so the served metric can be below it: %s", last.SucceededAt.UTC().Format(time.RFC3339), maxAge, why)
	default:
		e.conditions.SetTrue(v1alpha1.ConditionObserved, "Polled",
			"observed demand is polled, and the served metric is never below it")
	}
}
