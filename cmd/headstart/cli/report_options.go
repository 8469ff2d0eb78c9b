package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
)

// options are those that need no input.
func (o *reportOptions) options() (report.Options, error) {
	out := report.DefaultOptions()
	out.Lead, out.Capacity = time.Duration(o.lead), o.capacity
	out.MinReplicas, out.MaxReplicas = o.minReplicas, o.maxReplicas
	out.Stabilization, out.Horizon = time.Duration(o.stabilize), time.Duration(o.horizon)
	out.Refresh, out.Headroom = report.Refresh(o.refresh), o.headroom
	out.GPUs, out.Price, out.Service, out.Query = o.gpus, o.price, o.service, o.in.query
	if o.sweep {
		out.Sweep = sweepLeads
	}
	var err error
	if out.Contract, err = parseContract(o.serviceLevel, o.shortageCost); err != nil {
		return out, err
	}
	switch o.ramp {
	case "proposed":
	case "default":
		out.Ramp = planner.Ramp{}
	case "none":
		out.Ramp = planner.Ramp{None: true}
	default:
		return out, fmt.Errorf("--hpa-ramp %q is unknown: proposed, default or none", o.ramp)
	}
	if out.Location, err = v1alpha1.TimeZone(o.timeZone).Location(); err != nil {
		return out, fmt.Errorf("--time-zone: %w", err)
	}
	if out.Policies = o.policies; slices.Contains(out.Policies, "all") {
		out.Policies = report.AllPolicies()
	}
	if o.decisions != "" && !slices.Contains(out.Policies, report.PolicyHeadstart) {
		return out, errors.New("--decisions are those of the policy headstart: add it to --policies")
	}
	return out, nil
}

// sweepLeads are those of --sweep.
var sweepLeads = []time.Duration{
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
}

// declare adds the peaks: those of the Forecast, or of a file in their place.
func (o *reportOptions) declare(out *report.Options, peaks report.Peaks) error {
	where := "the cluster"
	if o.peaks != "" {
		var err error
		if peaks, err = report.OpenPeaks(o.peaks); err != nil {
			return err
		}
		where = o.peaks
	} else if len(o.calendars) > 0 && peaks.Calendars == nil {
		return errors.New("--calendars needs --peaks, the file that holds them")
	}
	out.Peaks = peaks.Schedules
	for _, name := range o.calendars {
		c := peaks.Calendars[name]
		if c == nil {
			return fmt.Errorf("--calendars: there is no Calendar %q in %s", name, where)
		}
		for _, d := range c.Days(out.Location, out.Series.Start, out.Series.End().Add(out.Horizon+out.Lead)) {
			out.Days = append(out.Days, forecaster.Day{Name: d.Name, Start: d.Start, End: d.End})
		}
	}
	return nil
}

// parseContract reads exactly one of the two contracts, within the bounds that a Forecast has.
func parseContract(serviceLevel, shortageCost string) (forecaster.Contract, error) {
	switch {
	case serviceLevel != "" && shortageCost != "":
		return forecaster.Contract{}, errors.New("give --service-level or --shortage-cost, not both: a promise and a trade-off are different numbers")
	case serviceLevel != "":
		v, err := strconv.ParseFloat(serviceLevel, 64)
		if err != nil || !(v >= 0.5 && v <= 0.9999) {
			return forecaster.Contract{}, fmt.Errorf("--service-level %s must be from 0.5 to 0.9999, such as 0.99", serviceLevel)
		}
		return forecaster.Contract{ServiceLevel: v}, nil
	case shortageCost != "":
		v, err := strconv.ParseFloat(shortageCost, 64)
		if err != nil || !(v > 1 && v <= 10000) {
			return forecaster.Contract{}, fmt.Errorf("--shortage-cost %s must be above 1 and at most 10000, such as 20", shortageCost)
		}
		return forecaster.Contract{ShortageCost: v}, nil
	}
	return forecaster.Contract{}, errors.New("give --service-level (the probability of covering a lead window, such as 0.99) or --shortage-cost (how many times unserved demand costs, such as 20)")
}

// lookBack is how many steps a fit looks back on, as the Forecast's spec has it; 0, the forecaster's own limit, without one.
func (o *reportOptions) lookBack(step time.Duration) int {
	if o.forecast.history == 0 || step <= 0 {
		return 0
	}
	return int(time.Duration(o.forecast.history) / step)
}
