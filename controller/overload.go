package controller

import (
	"fmt"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/internal/memory"
)

// overloadRetry is how long a Forecast without history waits while memory is short.
const overloadRetry = time.Minute

// spare sets what a Forecast goes without. It reports whether its history may be read: what is in
// memory already is kept up to date, and the rest waits.
func (r *ForecastReconciler) spare(state *forecastState, now time.Time) bool {
	state.level, state.use = r.overload.Now()
	state.step.Model.Thrift = forecaster.Thrift{
		FewerModels: state.level >= memory.FewerModels, RarerFits: state.level >= memory.RarerFits,
	}
	if !state.refused() {
		return true
	}
	state.nextRead = now.Add(overloadRetry)
	return false
}

// refused reports whether there is no memory for the Forecast.
func (s *forecastState) refused() bool { return s.level >= memory.NoNewForecasts && !s.hasRead }

// overloadRemedy is what to do about a lack of memory.
const overloadRemedy = "raise the memory limit of headstart's containers, shorten spec.demand.history, " +
	"or delete Forecasts that are not needed"

// setOverloadedCondition sets the condition Overloaded: what the Forecast goes without because of
// the memory of the server. A Forecast that never went without has no such condition.
func (e *evaluation) setOverloadedCondition() {
	if !e.set.HasDemand {
		return
	}
	s := e.state
	room := fmt.Sprintf("headstart needs %d of its %d MiB of memory", s.use.Live>>20, s.use.Limit>>20)
	switch {
	case s.refused():
		e.conditions.SetTrue(v1alpha1.ConditionOverloaded, reasonNoNewForecasts,
			"%s, and makes no forecast for this one: observed demand and the last plan are served; %s",
			room, overloadRemedy)
	case s.level >= memory.RarerFits:
		e.conditions.SetTrue(v1alpha1.ConditionOverloaded, "RarerFits",
			"%s: models are fitted less often, and the largest are left out; %s", room, overloadRemedy)
	case s.level >= memory.FewerModels:
		e.conditions.SetTrue(v1alpha1.ConditionOverloaded, "FewerModels",
			"%s: the next fit leaves out the largest models; %s", room, overloadRemedy)
	case hasCondition(e.fc, v1alpha1.ConditionOverloaded):
		e.conditions.SetFalse(v1alpha1.ConditionOverloaded, "EnoughMemory", "headstart has enough memory")
	}
}

// reasonNoNewForecasts is the reason of conditions of a Forecast that there is no memory for.
const reasonNoNewForecasts = "NoNewForecasts"
