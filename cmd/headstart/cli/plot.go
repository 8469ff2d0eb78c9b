package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/plot"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
)

// plotOptions holds the flags of plot.
type plotOptions struct {
	cluster *clusterFlags
	in      inputFlags
	back    promDuration
	ahead   promDuration
	width   int
	height  int
	colour  string
}

func newPlotCommand(streams Streams) *cobra.Command {
	o := plotOptions{back: promDuration(24 * time.Hour), colour: "auto"}
	cmd := &cobra.Command{
		Use:   "plot [NAMESPACE/]NAME",
		Short: "Draw the demand, the forecast and the plan of a Forecast in the terminal",
		Long: `Plot draws the plan of a Forecast in the terminal.

It draws the past demand and the forecast too, from --prometheus or from the one Prometheus that is
found in the cluster. It then reads the same history as the server and runs the same code. With
--prometheus none, it draws the plan alone. It reads the cluster with your own permissions.`,
		Example: `  kubectl headstart plot shop/face-fusion
  kubectl headstart plot shop/face-fusion --prometheus monitoring/prometheus:9090 --back 2d
  kubectl headstart plot shop/face-fusion --prometheus http://localhost:9090 --ahead 6h`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("give the name of one Forecast, as NAMESPACE/NAME: status -A lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("ahead") && o.ahead <= 0 {
				return errors.New("--ahead must be above 0")
			}
			return o.run(cmd.Context(), streams, args[0], time.Now())
		},
	}
	o.cluster = newNamespacedFlags(cmd.Flags())
	o.in.prometheus.Register(cmd.Flags())
	o.in.prometheus.Through(o.cluster.restConfig, cmd.Flags())
	cmd.Flags().Var(&o.back, "back", "how much of the past to draw; needs a Prometheus")
	cmd.Flags().Var(&o.ahead, "ahead",
		"how much of the future to draw (default the rest of the plan; with a Prometheus one day)")
	cmd.Flags().Lookup("ahead").DefValue = "" // the text has it
	cmd.ValidArgsFunction = o.cluster.complete(1)
	cmd.Flags().IntVar(&o.width, "width", 0, "columns of the chart; 0 is the width of the terminal, but at most 100")
	cmd.Flags().IntVar(&o.height, "height", 16, "rows of the chart")
	cmd.Flags().StringVar(&o.colour, "color", "auto", "colours: auto (on a terminal), always or never")
	return cmd
}

func (o *plotOptions) run(ctx context.Context, streams Streams, name string, now time.Time) error {
	colour, err := terminal.UseColour(o.colour, streams.Out)
	if err != nil {
		return err
	}
	if o.back < 0 || o.height < 4 || o.width != 0 && o.width < 40 {
		return errors.New("--back must be at least 0, --height at least 4 and --width at least 40")
	}
	c, list, err := o.cluster.forecasts(ctx, []string{name})
	if err != nil {
		return err
	}
	p := plot.Plot{Forecast: &list[0], Now: now, Back: time.Duration(o.back), Ahead: time.Duration(o.ahead)}
	if p.Spec, err = readSpec(ctx, c, p.Forecast); err != nil {
		return err
	}
	if err := o.readDemand(ctx, streams, &p); err != nil {
		return err
	}
	return p.Draw(streams.Out, min(100, terminal.Columns(streams.Out, o.width)), o.height, colour)
}

// readSpec reads what the cluster says about a Forecast.
func readSpec(ctx context.Context, c client.Reader, fc *v1alpha1.Forecast) (spec.Spec, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	found, err := spec.Read(ctx, c, fc, nil)
	if err != nil {
		return found, fmt.Errorf("forecast %s/%s: %w", fc.Namespace, fc.Name, err)
	}
	return found, nil
}

// readDemand reads the history of the Forecast. What cannot be read of a Prometheus that was not asked
// for is a note.
func (o *plotOptions) readDemand(ctx context.Context, streams Streams, p *plot.Plot) error {
	ahead := p.Ahead
	if ahead == 0 {
		p.Ahead = p.DefaultAhead(true)
	}
	p.HowTo = "the Forecast has no query, so it serves only its peaks: there is no demand to draw"
	if p.Spec.Settings.HasDemand || o.in.prometheus.Given() {
		p.HowTo = o.in.find(ctx, streams, o.cluster)
	}
	if o.in.prometheus.Given() {
		err := readPlotDemand(ctx, p, o.in, streams)
		if err == nil || !o.in.prometheus.Found || ctx.Err() != nil {
			return err
		}
		p.HowTo = err.Error()
	}
	p.Demand, p.Expected = nil, nil
	p.HowTo = "the demand is not drawn: " + p.HowTo
	if p.Ahead = ahead; ahead == 0 {
		p.Ahead = p.DefaultAhead(false)
	}
	return nil
}

// readPlotDemand reads the history of the Forecast for a plot.
func readPlotDemand(ctx context.Context, p *plot.Plot, in inputFlags, streams Streams) error {
	set := p.Spec.Settings
	if !set.HasDemand {
		return fmt.Errorf("forecast %s/%s has no query, so it serves only its peaks: leave out --prometheus",
			p.Forecast.Namespace, p.Forecast.Name)
	}
	in.query, in.step, in.history = set.Query, promDuration(set.Step), promDuration(set.ReadSpan())
	all, err := in.read(ctx, streams, p.Now)
	if err != nil {
		return err
	}
	all[0].tell(streams.Err)
	return p.Expect(&all[0].Series)
}
