package controller

import (
	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner"
)

// ServedSettings is a [values.ParseFunc]: it reads from a spec what serving needs.
func ServedSettings(spec *v1alpha1.ForecastSpec) (values.Settings, error) {
	set, err := planner.ParseSpec(spec)
	served := values.Settings{Mode: set.Mode, Expiry: set.Expiry, Static: set.Static, Min: set.Min}
	if set.HasDemand {
		served.Demand = &values.Query{Expr: set.Query, Source: set.Source, Settle: set.Settle}
	}
	return served, err
}

// LearnerOptions are the options of the learner of a Forecast in mode Learned.
func LearnerOptions(set planner.Settings) gpuwarm.LearnerOptions {
	return gpuwarm.LearnerOptions{
		Percentile: set.Lead.Percentile, Default: set.Lead.Default, Max: set.Lead.Max, DefaultConfigured: set.Lead.Configured,
	}
}
