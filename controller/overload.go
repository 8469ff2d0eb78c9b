package controller

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/internal/memory"
)

const (
	// overloadAge is how long a level counts before memory is looked at again.
	overloadAge = 5 * time.Second
	// overloadRetry is how long a Forecast without history waits while memory is short.
	overloadRetry = time.Minute
)

// overload knows how much the process goes without because of its memory. It is safe for concurrent
// use. A nil *overload goes without nothing.
type overload struct {
	use   func() memory.Use
	clock clock.PassiveClock

	mu    sync.Mutex
	level memory.Level
	seen  memory.Use
	at    time.Time
}

// newOverload returns one that looks at use, with its metric. use is that of the process when it is
// nil.
func newOverload(use func() memory.Use, c clock.PassiveClock, r prometheus.Registerer) *overload {
	if use == nil {
		use = memory.OfProcess
	}
	o := &overload{use: use, clock: c}
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "headstart_controller_overload_level",
		Help: "What the process goes without because of its memory: 0 nothing, 1 its largest models, " +
			"2 frequent fits, 3 new Forecasts.",
	}, func() float64 { level, _ := o.now(); return float64(level) })
	return o
}

// now returns the level, and the use that it follows from.
func (o *overload) now() (memory.Level, memory.Use) {
	if o == nil {
		return memory.Enough, memory.Use{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.clock.Now(); o.at.IsZero() || now.Sub(o.at) >= overloadAge {
		o.at, o.seen = now, o.use()
		o.level = memory.Next(o.level, o.seen)
	}
	return o.level, o.seen
}

// spare sets what a Forecast goes without. It reports whether its history may be read: what is in
// memory already is kept up to date, and the rest waits.
func (r *ForecastReconciler) spare(state *forecastState, now time.Time) bool {
	state.level, state.use = r.overload.now()
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
