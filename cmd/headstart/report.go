package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
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
}

func newReportCommand(streams ioStreams) *cobra.Command {
	o := reportOptions{
		stabilize: promDuration(report.DefaultStabilization), horizon: promDuration(report.DefaultHorizon), lead: promDuration(5 * time.Minute),
	}
	cmd := &cobra.Command{
		Use:   "report [[NAMESPACE/]NAME…]",
		Short: "Dry run: replay history and say what Headstart would have served, cost and missed",
		Long: `Report replays a demand series through the code that serves, step by step, with nothing known but what came before, and sets the
result beside what teams run today. Give the contract as --service-level (a promise) or --shortage-cost (a trade-off).

With the name of a Forecast in the cluster, query, lead, capacity, contract and peaks are those of that Forecast, read with your own
permissions, and its history comes from --prometheus. Several names, or --namespace alone for all that are in it, make one report.`,
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
	flags.StringVar(&o.ramp, "hpa-ramp", "proposed", "how fast the HPA adds replicas: proposed (the larger of 20 pods and 900 % in 15 s), default (2 × in 15 s), none")
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

// rendered is what can be written: one report, or several.
type rendered interface {
	Text(w io.Writer, o report.TextOptions) error
	JSON(w io.Writer) error
	CSV(w io.Writer) error
	HTML(w io.Writer) error
}

func (o *reportOptions) run(ctx context.Context, streams ioStreams, now time.Time, args []string, given func(flag string) bool) error {
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
	return errors.Join(write(made), err)
}

// writer renders in the form that was asked for.
func (o *reportOptions) writer(w io.Writer) (func(rendered) error, error) {
	colour, err := useColour(o.colour, w)
	if err != nil {
		return nil, err
	}
	text := report.TextOptions{Colour: colour, NoChart: o.day == "none"}
	if o.day != "" && o.day != "none" {
		zone, err := v1alpha1.TimeZone(o.timeZone).Location()
		if err != nil {
			return nil, fmt.Errorf("--time-zone: %w", err)
		}
		if text.Day, err = time.ParseInLocation(time.DateOnly, o.day, zone); err != nil {
			return nil, fmt.Errorf("--day %q is neither a day such as 2026-03-18 nor none", o.day)
		}
	}
	render := map[string]func(rendered) error{
		"text": func(r rendered) error { return r.Text(w, text) },
		"json": func(r rendered) error { return r.JSON(w) },
		"csv":  func(r rendered) error { return r.CSV(w) },
		"html": func(r rendered) error { return r.HTML(w) },
	}[o.output]
	if render == nil {
		return nil, fmt.Errorf("--output %q is unknown: text, json, csv or html", o.output)
	}
	return render, nil
}

// replay makes one report: of what the flags say, or of a Forecast. Where history could be read in part, it returns what that came to,
// and the error.
func (o *reportOptions) replay(ctx context.Context, streams ioStreams, now time.Time, c client.Reader, fc *v1alpha1.Forecast, given func(flag string) bool) (*report.Report, error) {
	var peaks report.Peaks
	if fc != nil {
		var err error
		if peaks, err = o.fromForecast(ctx, c, fc, given); err != nil {
			return nil, err
		}
	}
	options, err := o.options()
	if err != nil {
		return nil, err
	}
	chosen, partial, err := o.demand(ctx, streams, now)
	if err != nil {
		return nil, err
	}
	options.Series = chosen.Series
	if options.Name = chosen.Name; options.Name == "" {
		options.Name = chosen.source
	}
	if fc != nil {
		options.Name, options.Existing = fc.Namespace+"/"+fc.Name, fc
	}
	if options.From, err = chosen.index(o.from); err != nil {
		return nil, errors.Join(partial, err)
	}
	if err := o.declare(&options, peaks); err != nil {
		return nil, err
	}
	bar := newProgress(streams.Err, "replaying "+options.Name)
	options.Progress = bar.show
	options.History, options.Periods = o.lookBack(options.Series.Step), o.forecast.periods
	writePlans := o.collectPlans(&options)
	made, err := report.Run(ctx, options)
	bar.end()
	if err != nil {
		return nil, errors.Join(partial, fmt.Errorf("%s: %w", options.Name, err))
	}
	made.Notes = append(made.Notes, peaks.Warnings...)
	if partial != nil {
		made.Notes = append(made.Notes, "the history could be read in part only, and this report is about that part: "+partial.Error())
		return made, partial
	}
	if err := writePlans(); err != nil {
		return nil, err
	}
	if o.decisions != "" {
		return made, writeDecisions(o.decisions, chosen, options.From, made)
	}
	return made, nil
}

// demand reads the one series to replay. Where reading stopped half-way, partial says why, and the series ends there.
func (o *reportOptions) demand(ctx context.Context, streams ioStreams, now time.Time) (chosen named, partial, err error) {
	all, err := o.in.read(ctx, streams, now)
	if err != nil {
		err = reachable(err)
		if len(all) == 0 || !history.KindOf(err).Temporary() {
			return named{}, nil, err
		}
		partial = err
	}
	chosen, err = choose(all, o.in.series)
	return chosen, partial, err
}

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

// choose picks the one series to replay.
func choose(all []named, name string) (named, error) {
	var names []string
	for _, s := range all {
		if s.Name == name || (name == "" && len(all) == 1) {
			return s, nil
		}
		names = append(names, s.Name)
	}
	const few = 5
	more := ""
	if len(names) > few {
		more = fmt.Sprintf(" and %d more", len(names)-few)
		names = names[:few]
	}
	if name == "" {
		return named{}, fmt.Errorf("the input has %d series: choose one with --series (%s%s)", len(all), strings.Join(names, ", "), more)
	}
	return named{}, fmt.Errorf("there is no series %q in the input: it has %s%s", name, strings.Join(names, ", "), more)
}

// timeLayouts are how --from may be written; without an offset it is UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

func parseTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// index is the first step at or after --from; a third of the series without it.
func (n named) index(from string) (int, error) {
	s := n.Series
	if from == "" {
		return max(1, len(s.Values)/3), nil
	}
	if d, err := v1alpha1.Duration(from).Parse(); err == nil {
		return int(min((d+s.Step-1)/s.Step, time.Duration(len(s.Values)))), nil
	}
	at, ok := parseTime(from)
	if !ok {
		return 0, fmt.Errorf("--from %q is neither a time such as 2006-01-02T15:04:05Z nor a duration such as 14d", from)
	}
	first := s.Start
	if t, ok := parseTime(n.stamp(0)); ok {
		first = t // rows need not stand on the grid
	}
	since := at.Sub(first)
	if since <= 0 {
		return 0, nil
	}
	return int(min((since+s.Step-1)/s.Step, time.Duration(len(s.Values)))), nil
}

// writeDecisions writes the file whole or not at all.
func writeDecisions(path string, s named, from int, made *report.Report) error {
	wishes, ok := made.Wishes()
	if !ok {
		return errors.New("--decisions are those of the policy headstart, which was not run")
	}
	var b bytes.Buffer
	b.WriteString("timestamp,replicas\n")
	for i, w := range wishes {
		fmt.Fprintf(&b, "%s,%d\n", s.stamp(from+i), w)
	}
	return writeWhole(path, b.Bytes())
}

func writeWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already after the rename
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
