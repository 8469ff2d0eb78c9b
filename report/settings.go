package report

import (
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
)

// UseSettings sets what a Forecast, and the HPA that reads it, say about planning. Lead, Peaks and
// Calendars are not part of the settings.
func (o *Options) UseSettings(set planner.Settings) {
	o.Contract, o.AtMost, o.Horizon, o.History = set.Contract, set.AtMost, set.Horizon, set.History
	o.Location, o.Periods, o.FitOffset = set.Location, set.Periods, set.FitOffset
	o.Capacity, _ = set.Capacity() // also where it is learned: this one counts without evidence
	o.MinDemand, o.MaxDemand = set.Min, set.Max
	if s := set.Scaling; s.Name != "" {
		o.Ramp, o.Stabilization = s.Ramp, s.ScaleDownStabilization
		o.MinReplicas, o.MaxReplicas = s.MinReplicas, s.MaxReplicas
	}
}

// maxHistory bounds the time that a fit looks back on. With steps of a week, the forecaster's limit
// would overflow a duration.
const maxHistory = 100 * 365 * 24 * time.Hour

// settings returns the options as the settings of a Forecast and its HPA.
func (o Options) settings() planner.Settings {
	set := planner.Settings{
		HasDemand: true, Step: o.Series.Step, History: o.History, Horizon: o.Horizon,
		Location: o.location(), Periods: o.Periods, FitOffset: o.FitOffset, Contract: o.Contract, AtMost: o.AtMost,
		SpecCapacity: o.Capacity,
		Min:          o.MinDemand, Max: o.MaxDemand, Mode: v1alpha1.ForecastActive, Expiry: v1alpha1.ExpiryError,
		Scaling: planner.Scaling{MinReplicas: o.MinReplicas, MaxReplicas: o.MaxReplicas, Ramp: o.Ramp},
	}
	if set.History == 0 {
		steps := min(forecaster.DefaultMaxHistory, int(maxHistory/set.Step))
		set.History = time.Duration(steps) * set.Step
	}
	if set.Max == 0 {
		set.Max = math.Inf(1)
	}
	if o.Learn != nil {
		set.Learn = &o.Learn.Objective
	}
	for _, c := range o.Calendars.Named {
		set.Calendars = append(set.Calendars, c.Name())
	}
	return set
}
