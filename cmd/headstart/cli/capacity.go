package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/learned"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/terms"
	replay "headstart.dev/headstart/report/learned"
)

// capacityOptions holds the flags of capacity.
type capacityOptions struct {
	cluster *clusterFlags
	in      inputFlags
	history promDuration
	output  string
	width   int
	height  int
	colour  string
}

func newCapacityCommand(streams Streams) *cobra.Command {
	o := capacityOptions{history: promDuration(14 * 24 * time.Hour)}
	cmd := &cobra.Command{
		Use:   "capacity [[NAMESPACE/]NAME]",
		Short: "Show what a replica serves within its objective, and how that was learned",
		Long: `Capacity shows what one ready replica serves within its objective, and how that was learned.

From a Prometheus it reads demand, latency and ready replicas, and learns from them with the code of
the server. It draws latency against load per replica, with the objective and the estimate, and how
the capacity moved. Where demand has several terms, it says whether other weights would fit better.
Without one, it shows what the Forecast's status says. The Prometheus is that of --prometheus, or the
one that is found in the cluster; --prometheus none is without.

Without a name it lists the Forecasts whose capacity is learned.
It reads the cluster with your own permissions.`,
		Example: `  kubectl headstart capacity -A
  kubectl headstart capacity shop/chat --prometheus monitoring/prometheus:9090
  kubectl headstart capacity shop/chat --prometheus http://localhost:9090 --history 7d`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("give the name of one Forecast, as NAMESPACE/NAME, or none to list them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			return o.run(cmd.Context(), streams, names, time.Now())
		},
	}
	o.cluster = newClusterFlags(cmd.Flags())
	o.in.prometheus.Register(cmd.Flags())
	o.in.prometheus.Through(o.cluster.restConfig, cmd.Flags())
	cmd.Flags().Var(&o.history, "history", "how much of the past to learn from; needs a Prometheus")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, json or yaml")
	cmd.Flags().IntVar(&o.width, "width", 0, "columns of the text; 0 is the width of the terminal, but at most 100")
	cmd.Flags().IntVar(&o.height, "height", 12, "rows of the chart")
	cmd.Flags().StringVar(&o.colour, "color", "auto", "colours: auto (on a terminal), always or never")
	cmd.ValidArgsFunction = o.cluster.complete(1)
	return cmd
}

func (o *capacityOptions) run(ctx context.Context, streams Streams, names []string, now time.Time) error {
	colour, err := terminal.UseColour(o.colour, streams.Out)
	if err != nil {
		return err
	}
	if err := learned.CheckOutput(o.output); err != nil {
		return err
	}
	if o.height < 4 || o.width != 0 && o.width < 40 || o.history <= 0 {
		return errors.New("--height must be at least 4, --width at least 40, and --history above 0")
	}
	c, list, err := o.cluster.forecasts(ctx, names)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return o.list(streams, list)
	}
	fc := &list[0]
	found, err := readSpec(ctx, c, fc)
	if err != nil {
		return err
	}
	if found.Settings.Learn == nil {
		return fmt.Errorf("forecast %s/%s does not learn its capacity: set spec.capacity.objective, "+
			"the latency to keep and the query for it", fc.Namespace, fc.Name)
	}
	view := learned.FromStatus(fc, found.Settings)
	if err := o.show(ctx, streams, &view, now); err != nil {
		return fmt.Errorf("forecast %s/%s: %w", fc.Namespace, fc.Name, err)
	}
	if o.output != "text" {
		return learned.Encode(streams.Out, o.output, view.Output())
	}
	return view.Text(streams.Out, learned.Layout{
		Width: min(100, terminal.Columns(streams.Out, o.width)), Height: o.height, Colour: colour,
		Location: found.Settings.Location,
	})
}

// show reads how the capacity was learned. What cannot be read of a Prometheus that was not asked for
// is a note.
func (o *capacityOptions) show(ctx context.Context, streams Streams, view *learned.View, now time.Time) error {
	before := *view
	howTo := o.in.find(ctx, streams, o.cluster)
	if howTo == "" {
		err := o.learn(ctx, streams, view, now)
		if err == nil || !o.in.prometheus.Found || ctx.Err() != nil {
			return err
		}
		howTo = err.Error()
	}
	*view = before
	view.Notes = []string{"how it was learned is not shown: " + howTo}
	return nil
}

// list lists the Forecasts whose capacity is learned.
func (o *capacityOptions) list(streams Streams, list []v1alpha1.Forecast) error {
	if len(list) == 0 && o.output == "text" {
		fmt.Fprintln(streams.Out, o.cluster.none())
		return nil
	}
	return learned.ShowList(streams.Out, o.output, learned.Learns(list))
}

// learn reads the past and learns from it, as the server does.
func (o *capacityOptions) learn(ctx context.Context, streams Streams, view *learned.View, now time.Time) error {
	set := view.Settings
	in := o.in
	in.query, in.step, in.history = set.Query, promDuration(set.Step), o.history
	all, err := in.read(ctx, streams, now)
	if err != nil {
		return err
	}
	source, err := in.prometheus.Source()
	if err != nil {
		return err
	}
	bar := terminal.NewProgress(streams.Err, "reading latency and replicas")
	evidence, err := learned.Read(ctx, source, *set.Learn, all[0].Series, bar.Show)
	bar.End()
	if err != nil {
		return err
	}
	input := replay.Input{
		Settings: set, Demand: forecaster.Series(all[0].Series),
		Evidence: replay.Evidence{Objective: *set.Learn, Latency: evidence.Latency, Replicas: evidence.Replicas},
	}
	input.Released = learned.ReleasedAt(view.Forecast)
	if view.Track, err = replay.Replay(ctx, input); err != nil {
		return err
	}
	view.Summary = view.Track.Summarise(input)
	view.Notes = append(all[0].notes.List(), evidence.Notes...)
	bar = terminal.NewProgress(streams.Err, "reading the terms of the demand")
	view.Notes = append(view.Notes, learned.Weigh(ctx, source, terms.InUse(view.Forecast).Demand, input, bar.Show)...)
	bar.End()
	return nil
}
