package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/learned"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/door"
)

// reportOptions holds the flags of report.
type reportOptions struct {
	in           inputFlags
	forecast     forecastFlags
	lead         promDuration
	capacity     float64
	capacities   string
	learn        learned.Flags
	queries      string
	from         string
	peaks        string
	calendars    []string
	policies     []string
	serviceLevel string
	shortageCost string
	atMost       string
	minReplicas  int
	maxReplicas  int
	stabilize    promDuration
	horizon      promDuration
	refresh      string
	ramp         string
	timeZone     string
	headroom     bool
	objective    string
	sweep        bool
	gpus         float64
	price        float64
	currency     string
	hpaTarget    float64
	service      string
	doors        doorFlags
	decisions    string
	plans        string
	output       string
	day          string
	colour       string

	given func(flag string) bool // reports whether a flag was given; nil without a Forecast
}

// register registers all flags.
func (o *reportOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.in.register(flags)
	flags.Lookup("input").Usage += "; a folder of such files is a fleet"
	flags.StringVar(&o.in.series, "series", "",
		"`NAME` of the series to replay; without it, a file with several is a fleet")
	o.forecast.register(flags)
	o.in.prometheus.Through(o.forecast.cluster.restConfig, flags)
	o.registerReplay(flags)
	o.registerHPA(flags)
	o.registerOutput(flags)
}

// registerReplay registers the flags that say what is planned, and from when on.
func (o *reportOptions) registerReplay(flags *pflag.FlagSet) {
	flags.Var(&o.lead, "lead", "time from requesting a replica until it serves")
	flags.Float64Var(&o.capacity, "capacity", 0, "`DEMAND` that one replica serves")
	o.learn.Register(flags)
	flags.StringVar(&o.capacities, "capacities", "",
		"CSV `FILE` with the columns service and capacity, for a report on several services; --capacity is that of the "+
			"others")
	flags.StringVar(&o.queries, "queries", "",
		"`FILE` with a service on each line: its name, a colon and PromQL; one report on all of them")
	flags.StringVar(&o.serviceLevel, "service-level", "",
		"`PROBABILITY` that the served demand covers the lead window, such as 0.99")
	flags.StringVar(&o.atMost, "spend-at-most", "",
		"with a service level: how many times a reactive policy's replica-hours plans may ask for, such as 2: a `FACTOR`")
	flags.StringVar(&o.shortageCost, "shortage-cost", "",
		"`FACTOR` by which unserved demand is worse than the cost of serving it, such as 20")
	flags.StringVar(&o.objective, "objective", "",
		"`SHARE` of the demand to serve, such as 99.9%: also say what each policy pays to serve as much")
	flags.StringVar(&o.from, "from", "",
		"first step to replay: a `TIME`, or the length of the history before it, such as 14d (default a third of the "+
			"input)")
	flags.Var(&o.horizon, "horizon", "how far a plan reaches")
	flags.StringVar(&o.timeZone, "time-zone", "UTC", "IANA `ZONE` whose wall clock the daily cycle follows")
	flags.StringVar(&o.peaks, "peaks", "", "YAML `FILE` with PeakSchedules and Calendars")
	flags.StringSliceVar(&o.calendars, "calendars", nil,
		"`NAMES` of Calendars in --peaks whose days the forecast learns, separated by commas")
	flags.StringSliceVar(&o.policies, "policies", report.DefaultPolicies(),
		"`POLICIES` to compare, separated by commas, or all: "+strings.Join(report.AllPolicies(), ", "))
	flags.BoolVar(&o.headroom, "headroom", true,
		"tune the policies of today on the history, as a careful team would, and compare with the best; without it, "+
			"compare with the HPA")
	flags.BoolVar(&o.sweep, "sweep", false,
		"replay leads from 30s to 30m as well, to show what a faster start would be worth")
	flags.StringVar(&o.refresh, "plan-refresh", "step",
		"which plan a step is served from: step (a new plan for each step) or status (the plan that would be in the "+
			"Forecast's status, written at most 12 times an hour)")
}

// registerHPA registers the flags that describe the HPA that reads the plan.
func (o *reportOptions) registerHPA(flags *pflag.FlagSet) {
	flags.IntVar(&o.minReplicas, "min-replicas", 1, "minReplicas of the HPA")
	flags.IntVar(&o.maxReplicas, "max-replicas", 0, "maxReplicas of the HPA; 0 is no limit")
	flags.Var(&o.stabilize, "stabilization", "scale-down stabilization window of the HPA")
	flags.Float64Var(&o.hpaTarget, "hpa-target", report.DefaultTarget,
		"`SHARE` of a replica's capacity at which the HPA of today scales")
	flags.StringVar(&o.ramp, "hpa-ramp", "proposed",
		"how fast the HPA that reads the plan adds replicas: proposed (the larger of 10 pods and 100 % in a minute), "+
			"default (up to the larger of 4 and twice the replicas in 15 s) or none (no limit)")
}

// registerOutput registers the flags that say what is written.
func (o *reportOptions) registerOutput(flags *pflag.FlagSet) {
	flags.StringVarP(&o.output, "output", "o", "text", "text, json, csv or html")
	flags.StringVar(&o.decisions, "decisions", "", "write Headstart's replicas at each step to this CSV `FILE`")
	flags.StringVar(&o.plans, "plans", "",
		"write the plan of each step to this `FILE`, one JSON object per line, as in a Forecast's status")
	flags.StringVar(&o.day, "day", "",
		"`DAY` of the chart, such as 2026-03-18, or none (default the day on which today's autoscaler left the most "+
			"demand unserved)")
	flags.StringVar(&o.colour, "color", "auto", "colours in the text: auto (on a terminal), always or never")
	flags.Float64Var(&o.gpus, "gpus-per-replica", 0, "GPUs per replica, to count GPU-hours")
	flags.Float64Var(&o.price, "price", 0, "price of one GPU-hour, or of one replica-hour without --gpus-per-replica")
	flags.StringVar(&o.currency, "currency", "", "`CURRENCY` of --price, such as EUR")
	flags.StringVar(&o.service, "service", "", "`NAME` of the service in the proposed manifests")
	o.doors.register(flags, "external, or keda where a ScaledObject reads the Forecast")
}

// options returns the options of the replay that follow from the flags and the Forecast, without
// the input.
func (o *reportOptions) options() (report.Options, error) {
	out := report.DefaultOptions()
	if o.forecast.settings != nil {
		out.UseSettings(*o.forecast.settings)
	}
	out.Lead, out.Capacity, out.Horizon = time.Duration(o.lead), o.capacity, time.Duration(o.horizon)
	out.Refresh, out.Headroom = report.Refresh(o.refresh), o.headroom
	out.GPUs, out.Price, out.Currency = o.gpus, o.price, o.currency
	out.Service, out.Query = o.service, o.in.query
	if o.sweep {
		out.Sweep = sweepLeads()
	}
	var err error
	if out.Door, out.Kubernetes, err = o.doors.parse(); err != nil {
		return out, err
	}
	if s := o.forecast.settings; out.Door == "" && s != nil && s.Scaling.Kind == planner.ScaledObjectKind.Kind {
		out.Door = door.KEDA
	}
	if err := o.setHPA(&out); err != nil {
		return out, err
	}
	if err := o.setContract(&out); err != nil {
		return out, err
	}
	if out.Location, err = v1alpha1.TimeZone(o.timeZone).Location(); err != nil {
		return out, fmt.Errorf("--time-zone: %w", err)
	}
	if out.Policies = o.policies; slices.Contains(out.Policies, "all") {
		out.Policies = report.AllPolicies()
	}
	if o.decisions != "" && !slices.Contains(out.Policies, report.PolicyHeadstart) {
		return out, errNoDecisions
	}
	return out, nil
}

// setContract sets the contract and the objective.
func (o *reportOptions) setContract(out *report.Options) (err error) {
	if out.Objective, err = parseShare(o.objective); err != nil {
		return fmt.Errorf("--objective: %w", err)
	}
	if o.overrides("service-level") || o.overrides("shortage-cost") {
		level, cost := v1alpha1.Decimal(o.serviceLevel), v1alpha1.Decimal(o.shortageCost)
		f := planner.ContractFields{Both: "the contract", ServiceLevel: "--service-level", ShortageCost: "--shortage-cost"}
		if out.Contract, err = planner.ParseContract(level, cost, f); err != nil {
			return err
		}
	}
	if out.Contract.ShortageCost > 0 {
		out.AtMost = 0 // the Forecast's is for its service level
	}
	if o.overrides("spend-at-most") {
		out.AtMost, err = planner.ParseAtMost(v1alpha1.Decimal(o.atMost), out.Contract, "--spend-at-most")
	}
	return err
}

// setHPA sets the options that describe the HPA.
func (o *reportOptions) setHPA(out *report.Options) error {
	if o.overrides("min-replicas") {
		out.MinReplicas = o.minReplicas
	}
	if o.overrides("max-replicas") {
		out.MaxReplicas = o.maxReplicas
	}
	if o.overrides("stabilization") {
		out.Stabilization = time.Duration(o.stabilize)
	}
	if o.overrides("hpa-ramp") {
		ramp, ok := ramps()[o.ramp]
		if !ok {
			return fmt.Errorf("--hpa-ramp %q is unknown: use proposed, default or none", o.ramp)
		}
		out.Ramp = ramp
	}
	if out.HPA = o.forecast.hpa; out.HPA == nil || o.given != nil && o.given("hpa-target") {
		hpa := report.HPA{
			Stabilization: out.Stabilization, MinReplicas: out.MinReplicas, MaxReplicas: out.MaxReplicas,
		}
		if out.HPA != nil {
			hpa = *out.HPA
		}
		hpa.Target, out.HPA = o.hpaTarget, &hpa
	}
	return nil
}

// parseShare reads a share, such as 0.999 or 99.9%. It is 0 for an empty text.
func parseShare(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v > 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not a share above 0 and at most 1, such as 0.999 or 99.9%%", text)
	}
	return v, nil
}

// errNoDecisions says why there are no decisions to write.
var errNoDecisions = errors.New("--decisions writes those of the policy headstart: add it to --policies")

// sweepLeads returns the leads that --sweep replays.
func sweepLeads() []time.Duration {
	return []time.Duration{
		30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute,
		30 * time.Minute,
	}
}

// ramps returns the values of --hpa-ramp.
func ramps() map[string]planner.Ramp {
	return map[string]planner.Ramp{"proposed": planner.ProposedRamp(), "default": {}, "none": {None: true}}
}

// overrides reports whether the value of a flag is used. With a Forecast, a flag that was not given
// has the value of the Forecast or its HPA.
func (o *reportOptions) overrides(flag string) bool {
	return o.forecast.settings == nil || o.given(flag)
}

// addPeaks adds the peaks of the Forecast, or those of --peaks instead.
func (o *reportOptions) addPeaks(out *report.Options, peaks report.Peaks) error {
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
		return errors.New("--calendars needs --peaks, the file with the Calendars")
	}
	out.Peaks = peaks.Schedules
	out.Calendars = planner.NewCalendars(o.calendars, scheduler.Selection{Calendars: peaks.Calendars})
	return nil
}
