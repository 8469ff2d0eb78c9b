package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
)

// reportOptions are the flags of report, one to one.
type reportOptions struct {
	in           inputFlags
	forecast     forecastFlags
	lead         promDuration
	capacity     float64
	from         string
	peaks        string
	calendars    []string
	policies     []string
	serviceLevel string
	shortageCost string
	minReplicas  int
	maxReplicas  int
	stabilize    promDuration
	horizon      promDuration
	refresh      string
	ramp         string
	timeZone     string
	headroom     bool
	sweep        bool
	gpus         float64
	price        float64
	service      string
	decisions    string
	plans        string
	output       string
	day          string
	colour       string

	given func(flag string) bool // set with a Forecast
}

func newReportCommand(streams Streams) *cobra.Command {
	o := reportOptions{
		stabilize: promDuration(report.DefaultStabilization), horizon: promDuration(report.DefaultHorizon), lead: promDuration(5 * time.Minute),
	}
	cmd := &cobra.Command{
		Use:   "report [[NAMESPACE/]NAME…]",
		Short: "Dry run: replay history and say what Headstart would have served, cost and missed",
		Long: `Report replays a demand series through the code that serves, step by step, with nothing known but what came before, and sets the
result beside what teams run today. Give the contract as --service-level (a promise) or --shortage-cost (a trade-off).

With the name of a Forecast in the cluster, the settings are those of that Forecast, its peaks and the HPA that reads it, read with your
own permissions, and its history comes from --prometheus. Several names, or --namespace alone for all that are in it, make one report.`,
		Example: `  headstart report --input demand.csv.gz --lead 10m --capacity 5 --service-level 0.99
  headstart report --input demand.csv.gz --lead 10m --capacity 5 --from 2026-03-16 --shortage-cost 20 --policies all
  headstart report --prometheus http://localhost:9090 --query 'sum(rate(http_requests_total[2m]))' --lead 10m --capacity 5 --service-level 0.99
  kubectl headstart report shop/face-fusion --prometheus http://localhost:9090
  kubectl headstart report --namespace shop --prometheus http://localhost:9090 -o html > shop.html`,
		Args: o.forecast.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), streams, time.Now(), args, cmd.Flags().Changed)
		},
	}
	o.register(cmd)
	return cmd
}

func (o *reportOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.in.register(flags)
	o.forecast.register(flags)
	flags.StringVar(&o.in.series, "series", "", "which series of a file that has several")
	flags.Var(&o.lead, "lead", "time from asking for a replica to its serving")
	flags.Float64Var(&o.capacity, "capacity", 0, "demand that one replica serves, in the unit of demand")
	flags.StringVar(&o.from, "from", "", "first step to replay: a time, or how much history to leave before it, such as 14d (default a third of the input)")
	flags.StringVar(&o.peaks, "peaks", "", "YAML file of PeakSchedules and Calendars")
	flags.StringSliceVar(&o.calendars, "calendars", nil, "Calendars of --peaks whose days the forecast learns")
	flags.StringSliceVar(&o.policies, "policies", report.DefaultPolicies(), "policies to compare, separated by commas, or all: "+strings.Join(report.AllPolicies(), ", "))
	flags.StringVar(&o.serviceLevel, "service-level", "", "probability that the served demand covers the lead window, such as 0.99")
	flags.StringVar(&o.shortageCost, "shortage-cost", "", "how many times unserved demand costs what serving it would have cost, such as 20")
	flags.IntVar(&o.minReplicas, "min-replicas", 1, "the HPA's minReplicas")
	flags.IntVar(&o.maxReplicas, "max-replicas", 0, "the HPA's maxReplicas; 0 is no limit")
	flags.Var(&o.stabilize, "stabilization", "the HPA's scale-down stabilisation window")
	flags.Var(&o.horizon, "horizon", "how far a plan reaches")
	flags.StringVar(&o.refresh, "plan-refresh", "step", "step: serve from a fresh plan at each step; status: from what would stand in the Forecast's status, written at most 12 times an hour")
	flags.StringVar(&o.ramp, "hpa-ramp", "proposed", "how fast the HPA adds replicas: proposed (the larger of 20 pods and 900 % in 15 s), default (the larger of 2 × and 4 in 15 s), none")
	flags.StringVar(&o.timeZone, "time-zone", "UTC", "IANA zone whose wall clock the daily cycle follows")
	flags.BoolVar(&o.headroom, "headroom", false, "show each policy of today also with the head-room that did best on its history")
	flags.BoolVar(&o.sweep, "sweep", false, "replay other leads too, from 30s to 30m: what a faster start would be worth")
	flags.Float64Var(&o.gpus, "gpus-per-replica", 0, "GPUs of one replica, to count GPU-hours")
	flags.Float64Var(&o.price, "price", 0, "price of one GPU-hour, or of one replica-hour without --gpus-per-replica")
	flags.StringVar(&o.service, "service", "", "name of the service in the proposed manifests")
	flags.StringVar(&o.decisions, "decisions", "", "write Headstart's replicas, step by step, to this CSV file")
	flags.StringVar(&o.plans, "plans", "", "write the plan of each step to this file, as a Forecast's status has it, one JSON object a line")
	flags.StringVarP(&o.output, "output", "o", "text", "text, json, csv or html")
	flags.StringVar(&o.day, "day", "", "day that the text's chart shows, such as 2026-03-18, or none (default the one on which what runs today left the most unserved)")
	flags.StringVar(&o.colour, "color", "auto", "colours in text: auto (on a terminal), always or never")
}

func (o *reportOptions) run(ctx context.Context, streams Streams, now time.Time, args []string, given func(flag string) bool) error {
	write, err := o.writer(streams.Out)
	if err != nil {
		return err
	}
	if o.forecast.several(args, given) {
		return o.runSeveral(ctx, streams, now, args, given, write)
	}
	var fc *v1alpha1.Forecast
	var c client.Reader
	if name := o.forecast.one(args); name != "" {
		if c, err = o.forecast.cluster.client(); err != nil {
			return err
		}
		if fc, err = o.forecast.get(ctx, c, name); err != nil {
			return err
		}
	}
	made, err := o.replay(ctx, streams, now, c, fc, given)
	if made == nil {
		return err
	}
	return errors.Join(write(render.Report(made)), err)
}

// writer renders in the form that was asked for.
func (o *reportOptions) writer(w io.Writer) (func(render.Document) error, error) {
	colour, err := useColour(o.colour, w)
	if err != nil {
		return nil, err
	}
	text := render.TextOptions{Colour: colour, NoChart: o.day == "none"}
	if o.day != "" && o.day != "none" {
		zone, err := v1alpha1.TimeZone(o.timeZone).Location()
		if err != nil {
			return nil, fmt.Errorf("--time-zone: %w", err)
		}
		if text.Day, err = time.ParseInLocation(time.DateOnly, o.day, zone); err != nil {
			return nil, fmt.Errorf("--day %q is neither a day such as 2026-03-18 nor none", o.day)
		}
	}
	form := map[string]func(render.Document) error{
		"text": func(r render.Document) error { return r.Text(w, text) },
		"json": func(r render.Document) error { return r.JSON(w) },
		"csv":  func(r render.Document) error { return r.CSV(w) },
		"html": func(r render.Document) error { return r.HTML(w) },
	}[o.output]
	if form == nil {
		return nil, fmt.Errorf("--output %q is unknown: text, json, csv or html", o.output)
	}
	return form, nil
}

// replay makes one report: of what the flags say, or of a Forecast. Where history could be read in part, it returns what that came to,
// and the error.
func (o *reportOptions) replay(ctx context.Context, streams Streams, now time.Time, c client.Reader, fc *v1alpha1.Forecast, given func(flag string) bool) (*report.Report, error) {
	job, err := o.prepare(ctx, streams, now, c, fc, given)
	if err != nil {
		return nil, err
	}
	bar := newProgress(streams.Err, "replaying "+job.options.Name)
	job.options.Progress = bar.show
	writePlans := o.collectPlans(&job.options)
	made, err := report.Run(ctx, job.options)
	bar.end()
	if err != nil {
		return nil, errors.Join(job.partial, fmt.Errorf("%s: %w", job.options.Name, err))
	}
	made.Notes = append(made.Notes, job.warnings...)
	if job.partial != nil {
		made.Notes = append(made.Notes, "the history could be read in part only, and this report is about that part: "+job.partial.Error())
		return made, job.partial
	}
	if err := writePlans(); err != nil {
		return nil, err
	}
	if o.decisions != "" {
		return made, writeDecisions(o.decisions, job.chosen, job.options.From, made)
	}
	return made, nil
}

// replayJob is a replay with all that it needs.
type replayJob struct {
	options  report.Options
	chosen   named
	warnings []string // of the peaks
	partial  error    // why the series ends early
}

// prepare reads what is to be replayed: the Forecast's own, the demand, the peaks.
func (o *reportOptions) prepare(ctx context.Context, streams Streams, now time.Time, c client.Reader, fc *v1alpha1.Forecast, given func(flag string) bool) (job replayJob, err error) {
	var peaks report.Peaks
	if fc != nil {
		if peaks, err = o.fromForecast(ctx, c, fc, given); err != nil {
			return job, err
		}
	}
	job.warnings = peaks.Warnings
	if job.options, err = o.options(); err != nil {
		return job, err
	}
	if job.chosen, job.partial, err = o.demand(ctx, streams, now); err != nil {
		return job, err
	}
	job.options.Series = job.chosen.Series
	if job.options.Name = job.chosen.Name; job.options.Name == "" {
		job.options.Name = job.chosen.source
	}
	if fc != nil {
		job.options.Name, job.options.Existing = fc.Namespace+"/"+fc.Name, fc
	}
	if job.options.From, err = job.chosen.index(o.from); err != nil {
		return job, errors.Join(job.partial, err)
	}
	return job, o.declare(&job.options, peaks)
}
