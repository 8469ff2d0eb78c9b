package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/scheduler"
)

// options are those that need no input.
func (o *reportOptions) options() (report.Options, error) {
	out := report.DefaultOptions()
	if o.forecast.settings != nil {
		out.UseSettings(*o.forecast.settings)
	}
	out.Lead, out.Capacity, out.Horizon = time.Duration(o.lead), o.capacity, time.Duration(o.horizon)
	out.Refresh, out.Headroom = report.Refresh(o.refresh), o.headroom
	out.GPUs, out.Price, out.Service, out.Query = o.gpus, o.price, o.service, o.in.query
	if o.sweep {
		out.Sweep = sweepLeads
	}
	if o.counts("min-replicas") {
		out.MinReplicas = o.minReplicas
	}
	if o.counts("max-replicas") {
		out.MaxReplicas = o.maxReplicas
	}
	if o.counts("stabilization") {
		out.Stabilization = time.Duration(o.stabilize)
	}
	if o.counts("hpa-ramp") {
		ramp, ok := ramps()[o.ramp]
		if !ok {
			return out, fmt.Errorf("--hpa-ramp %q is unknown: proposed, default or none", o.ramp)
		}
		out.Ramp = ramp
	}
	var err error
	if o.counts("service-level") || o.counts("shortage-cost") {
		out.Contract, err = planner.ParseContract(v1alpha1.Decimal(o.serviceLevel), v1alpha1.Decimal(o.shortageCost), planner.ContractFields{
			Both: "the contract", ServiceLevel: "--service-level", ShortageCost: "--shortage-cost",
		})
		if err != nil {
			return out, err
		}
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

// ramps are the values of --hpa-ramp.
func ramps() map[string]planner.Ramp {
	return map[string]planner.Ramp{"proposed": planner.ProposedRamp(), "default": {}, "none": {None: true}}
}

// counts reports whether the value of a flag is used. With a Forecast, what the flag's user did not
// give comes from the Forecast and its HPA.
func (o *reportOptions) counts(flag string) bool { return o.forecast.settings == nil || o.given(flag) }

// declare adds the peaks: those of the Forecast, or of a file in their place.
func (o *reportOptions) declare(out *report.Options, peaks report.Peaks) error {
	if o.peaks != "" {
		var err error
		if peaks, err = report.OpenPeaks(o.peaks); err != nil {
			return err
		}
		for _, name := range o.calendars {
			if peaks.Calendars[name] == nil {
				return fmt.Errorf("--calendars: there is no Calendar %q in %s", name, o.peaks)
			}
		}
	} else if len(o.calendars) > 0 && peaks.Calendars == nil {
		return errors.New("--calendars needs --peaks, the file that holds them")
	}
	out.Peaks = peaks.Schedules
	out.Calendars = planner.NewCalendars(o.calendars, scheduler.Selection{Calendars: peaks.Calendars})
	return nil
}
