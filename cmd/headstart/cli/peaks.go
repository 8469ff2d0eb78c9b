package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/cmd/headstart/cli/internal/peaktext"
	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/manifest"
)

// peaksOptions holds the flags of peaks.
type peaksOptions struct {
	files    []string
	from, to string
	forecast float64
	capacity float64
	limit    int
	width    int
	output   string
	cluster  *clusterFlags
}

func newPeaksCommand(streams Streams) *cobra.Command {
	var o peaksOptions
	cmd := &cobra.Command{
		Use:   "peaks",
		Short: "Show when declared peaks start and end, and how much demand they declare",
		Long: `Peaks lists when the windows of PeakSchedules start and end, and how much demand they declare.

Times are on the wall clock of the schedule and in UTC. A chart below shows the demand of all windows
together, whichever Forecasts they apply to. With --file it reads files alone. Without, it reads the
PeakSchedules of a namespace of the cluster, with your own permissions.`,
		Example: `  kubectl headstart peaks -n shop
  headstart peaks --file peaks.yaml
  headstart peaks --file peaks.yaml --file calendars.yaml --from 2026-11-09 --to 2026-11-16 --forecast 800
  kubectl get peakschedules,calendars -n ai -o yaml | headstart peaks --file -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), streams, time.Now()) },
	}
	flags := cmd.Flags()
	o.cluster = newClusterFlags(flags)
	flags.StringArrayVarP(&o.files, "file", "f", nil,
		"`FILE` with PeakSchedules and the Calendars that they name; - is standard input; may be repeated")
	flags.StringVar(&o.from, "from", "",
		"`TIME` to start at: 2026-11-09 or 2026-11-09T08:00 on the schedule's wall clock, or RFC 3339 (default now)")
	flags.StringVar(&o.to, "to", "", "`TIME` to end before (default seven days after --from)")
	flags.Float64Var(&o.forecast, "forecast", peaktext.Unknown,
		"`DEMAND` without peaks, to which the chart applies the peaks (default one above which they are seen)")
	flags.Lookup("forecast").DefValue = "0" // the text has it
	flags.Float64Var(&o.capacity, "capacity", 1, "`DEMAND` that one replica serves, for windows that declare replicas")
	flags.IntVar(&o.limit, "limit", 50, "list at most this many occurrences of each schedule")
	flags.IntVar(&o.width, "width", 0, "columns of the text; 0 is the width of the terminal")
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

func (o *peaksOptions) run(ctx context.Context, streams Streams, now time.Time) error {
	if o.output != "text" && o.output != "json" {
		return fmt.Errorf("--output %q is unknown: use text or json", o.output)
	}
	known := o.forecast != peaktext.Unknown
	bad := func(demand float64) bool { return !(demand >= 0 && demand <= maxDemand) }
	if o.limit < 1 || known && bad(o.forecast) || bad(o.capacity) || o.width != 0 && o.width < 40 {
		return fmt.Errorf("--limit must be above 0, --width at least 40, and --forecast and --capacity from 0 to %g",
			maxDemand)
	}
	schedules, err := o.read(ctx, streams)
	if err != nil {
		return err
	}
	from, to, err := o.span(schedules[0].Location(), now)
	if err != nil {
		return err
	}
	list := peaktext.Listing{Limit: o.limit, Forecast: o.forecast, Capacity: o.capacity, Width: o.width}
	if o.output == "json" {
		return list.JSON(streams.Out, schedules, from, to)
	}
	for _, s := range schedules {
		if err := list.Table(streams.Out, s, from, to); err != nil {
			return err
		}
	}
	return list.Chart(streams.Out, schedules, from, to)
}

// maxDemand is the largest value of --forecast and --capacity.
const maxDemand = 1e15

// read compiles the PeakSchedules of all files together, or those of the cluster.
func (o *peaksOptions) read(ctx context.Context, streams Streams) ([]*scheduler.Schedule, error) {
	if len(o.files) == 0 {
		return o.readCluster(ctx)
	}
	all, err := readManifests(streams, o.files)
	if err != nil {
		return nil, err
	}
	names := strings.Join(o.files, ", ")
	peaks, err := manifest.CompilePeaks(all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", names, err, peaktext.MissingCalendars(all))
	}
	if len(peaks.Schedules) == 0 {
		return nil, fmt.Errorf("%s: no PeakSchedule found", names)
	}
	return peaks.Schedules, nil
}

// readCluster compiles the PeakSchedules of a namespace, or of all of them.
func (o *peaksOptions) readCluster(ctx context.Context) ([]*scheduler.Schedule, error) {
	c, err := o.cluster.client()
	if err != nil {
		return nil, fmt.Errorf("no --file is given: %w", err)
	}
	namespace, err := o.cluster.namespace()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	return peaktext.Read(ctx, c, namespace)
}

// span returns the time that --from and --to describe: [from, to).
func (o *peaksOptions) span(location *time.Location, now time.Time) (from, to time.Time, err error) {
	from = now.In(location).Truncate(time.Minute)
	if o.from != "" {
		if from, err = parseInstant("--from", o.from, location); err != nil {
			return from, to, err
		}
	}
	to = from.AddDate(0, 0, 7)
	if o.to != "" {
		if to, err = parseInstant("--to", o.to, location); err != nil {
			return from, to, err
		}
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("--to %s is not after --from %s",
			to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	if from.Year() < 1971 || to.Year() > 2198 {
		return from, to, errors.New("--from and --to must be between 1971 and 2198")
	}
	return from, to, nil
}

// parseInstant reads the value of a flag, and returns the instant in location.
func parseInstant(flag, text string, location *time.Location) (time.Time, error) {
	t, ok := parseTime(text, location)
	if !ok {
		return t, fmt.Errorf("%s %q is not a time such as 2026-11-09, 2026-11-09T08:00 or 2026-11-09T08:00:00Z",
			flag, text)
	}
	return t.In(location), nil
}
