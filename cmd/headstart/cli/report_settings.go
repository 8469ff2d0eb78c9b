package cli

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
)

// fromForecast sets the flags that were not given to the values of a Forecast in the cluster. given
// reports whether a flag was given.
func (o *reportOptions) fromForecast(
	ctx context.Context, c client.Reader, fc *v1alpha1.Forecast, given func(flag string) bool,
) (report.Peaks, error) {
	name := fc.Namespace + "/" + fc.Name
	var learned []string
	if given("calendars") {
		learned = o.calendars
	}
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	found, err := spec.Read(ctx, c, fc, learned)
	if err != nil {
		return report.Peaks{}, fmt.Errorf("forecast %s: %w", name, err)
	}
	o.useSettings(found.Settings, fc, given)
	o.forecast.hpa = found.HPA
	switch {
	case o.in.input == "" && o.in.query == "":
		return report.Peaks{}, fmt.Errorf("forecast %s has no query, so it serves only its peaks: "+
			"give --query to replay a demand", name)
	case o.capacity == 0:
		return report.Peaks{}, fmt.Errorf("forecast %s: the capacity of one replica is not known: "+
			"give --capacity, or set spec.capacityPerReplica", name)
	}
	return found.Peaks, nil
}

// useSettings sets the flags that were not given to the values of the Forecast.
func (o *reportOptions) useSettings(set planner.Settings, fc *v1alpha1.Forecast, given func(flag string) bool) {
	o.forecast.settings, o.given = &set, given
	use := func(flag string, apply func()) {
		if !given(flag) {
			apply()
		}
	}
	if set.HasDemand && o.in.input == "" {
		use("query", func() { o.in.query = set.Query })
		use("step", func() { o.in.step = promDuration(set.Step) })
		use("history", func() { o.in.history = promDuration(set.History) })
	}
	use("horizon", func() { o.horizon = promDuration(set.Horizon) })
	use("lead", func() { o.lead = promDuration(spec.Lead(set, fc)) })
	use("capacity", func() { o.capacity = spec.Capacity(set, fc) })
	use("time-zone", func() { o.timeZone = set.Location.String() })
	use("calendars", func() { o.calendars = set.Calendars })
	if o.service == "" {
		o.service = fc.Name
	}
}
