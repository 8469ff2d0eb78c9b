package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
)

func newReportCommand(streams Streams) *cobra.Command {
	o := reportOptions{
		stabilize: promDuration(report.DefaultStabilization),
		horizon:   promDuration(report.DefaultHorizon),
		lead:      promDuration(5 * time.Minute),
	}
	cmd := &cobra.Command{
		Use:   "report [[NAMESPACE/]NAME…]",
		Short: "Dry run: replay a history and show what Headstart would have served, cost and missed",
		Long: `Report replays a history of demand and shows what Headstart would have served, what that would have
cost and what it would have missed, beside what teams run today.

The replay runs the code of the server, and each step knows only what came before it. Say how much of
the demand must be covered: --service-level is a promise, --shortage-cost is a trade-off.

With the name of a Forecast in the cluster, the settings are those of the Forecast, of its peaks and
of the HPA that reads it. They are read with your own permissions. The history comes from
--prometheus, or from the one Prometheus that is found in the cluster. Several names, or --namespace
or -A without a name, make one report about all of them.

A folder or a file with several series as --input, or --queries, make one report about a whole fleet.`,
		Example: `  headstart report --input demand.csv --lead 10m --capacity 5 --service-level 0.99
  headstart report --input demand.csv --lead 10m --capacity 5 --shortage-cost 20 --from 14d --policies all
  headstart report --prometheus http://localhost:9090 --query 'sum(rate(http_requests_total[2m]))' \
    --lead 10m --capacity 5 --service-level 0.99
  headstart report --input exports/ --capacities capacities.csv --lead 10m --shortage-cost 20 -o html \
    > fleet.html
  kubectl headstart report shop/face-fusion --prometheus monitoring/prometheus:9090
  kubectl headstart report --namespace shop --prometheus http://localhost:9090 -o html > shop.html`,
		Args: o.forecast.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), streams, time.Now(), args, cmd.Flags().Changed)
		},
	}
	o.register(cmd)
	return cmd
}

// run makes the report. given reports whether a flag was given on the command line.
func (o *reportOptions) run(
	ctx context.Context, streams Streams, now time.Time, args []string, given func(flag string) bool,
) error {
	write, err := o.writer(streams.Out)
	if err != nil {
		return err
	}
	if o.capacities != "" && (o.forecast.several(args, given) || o.forecast.one(args) != "") {
		return errors.New("--capacities is for services without a Forecast: give --capacity, or set spec.capacityPerReplica")
	}
	if o.forecast.several(args, given) {
		return o.runSeveral(ctx, streams, now, args, given, write)
	}
	if o.forecast.one(args) == "" {
		if f, err := o.fleet(); f != nil || err != nil {
			if err != nil {
				return err
			}
			return o.runFleet(ctx, streams, now, f, write)
		}
	}
	if o.capacities != "" {
		return errors.New("--capacities is for a report on several services: give --capacity for a single one")
	}
	var fc *v1alpha1.Forecast
	var c client.Reader
	if name := o.forecast.one(args); name != "" {
		if c, fc, err = o.known(ctx, streams, name); err != nil {
			return err
		}
	}
	result, err := o.replay(ctx, streams, now, c, fc, given)
	if result == nil {
		return err
	}
	return errors.Join(write(render.Report(result)), err)
}

// writer returns the function that writes a report in the form that --output names.
func (o *reportOptions) writer(w io.Writer) (func(render.Document) error, error) {
	colour, err := terminal.UseColour(o.colour, w)
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
	write := map[string]func(render.Document) error{
		"text": func(r render.Document) error { return r.Text(w, text) },
		"json": func(r render.Document) error { return r.JSON(w) },
		"csv":  func(r render.Document) error { return r.CSV(w) },
		"html": func(r render.Document) error { return r.HTML(w) },
	}[o.output]
	if write == nil {
		return nil, fmt.Errorf("--output %q is unknown: use text, json, csv or html", o.output)
	}
	return write, nil
}

// replay makes one report: from the flags alone, or about the Forecast fc. If the history could be
// read only in part, it returns both the report on that part and the error.
func (o *reportOptions) replay(
	ctx context.Context, streams Streams, now time.Time, c client.Reader, fc *v1alpha1.Forecast,
	given func(flag string) bool,
) (*report.Report, error) {
	in, err := o.prepare(ctx, streams, now, c, fc, given)
	if err != nil {
		return nil, err
	}
	bar := terminal.NewProgress(streams.Err, "replaying "+render.Printable(in.options.Name))
	in.options.Progress = bar.Show
	writePlans := o.collectPlans(&in.options)
	result, err := report.Run(ctx, in.options)
	bar.End()
	if err != nil {
		return nil, errors.Join(in.readErr, fmt.Errorf("%s: %w", in.options.Name, err))
	}
	if in.readErr != nil {
		result.Notes = append(result.Notes,
			"the history could be read only in part, and this report covers that part: "+in.readErr.Error())
		return result, in.readErr
	}
	if err := writePlans(); err != nil {
		return nil, err
	}
	if o.decisions != "" {
		return result, writeDecisions(o.decisions, in.series, in.options.From, result)
	}
	return result, nil
}

// replayInput is what a replay needs.
type replayInput struct {
	options report.Options
	series  inputSeries
	readErr error // why the series ends early
}

// prepare reads the Forecast's settings and peaks, if there is one, and the demand to replay.
func (o *reportOptions) prepare(
	ctx context.Context, streams Streams, now time.Time, c client.Reader, fc *v1alpha1.Forecast,
	given func(flag string) bool,
) (in replayInput, err error) {
	var peaks report.Peaks
	if fc != nil {
		if peaks, err = o.fromForecast(ctx, c, fc, given); err != nil {
			return in, err
		}
	}
	if in.options, err = o.options(); err != nil {
		return in, err
	}
	if in.series, in.readErr, err = o.readDemand(ctx, streams, now); err != nil {
		return in, err
	}
	in.options.Series, in.options.Row = in.series.Series, in.series.row
	in.options.Notes = append(slices.Clone(peaks.Warnings), in.series.notes.List()...)
	if err := o.readEvidence(ctx, streams, &in.options, fc); err != nil {
		return in, err
	}
	in.options.Doubts = in.series.doubts()
	if in.options.Name = in.series.Name; in.options.Name == "" {
		in.options.Name = in.series.source
	}
	if fc != nil {
		in.options.Name, in.options.Existing = fc.Namespace+"/"+fc.Name, fc
	}
	if in.options.From, err = in.series.firstStep(o.from); err != nil {
		return in, errors.Join(in.readErr, err)
	}
	return in, o.addPeaks(&in.options, peaks)
}
