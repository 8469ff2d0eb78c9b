package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report/render"
	"headstart.dev/headstart/report/termchart"
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

With --prometheus it draws the past demand and the forecast too. It then reads the same history as the
server and runs the same code. It reads the cluster with your own permissions.`,
		Example: `  kubectl headstart plot shop/face-fusion
  kubectl port-forward -n monitoring service/prometheus 9090 &
  kubectl headstart plot shop/face-fusion --prometheus http://localhost:9090 --back 2d`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("give the name of one Forecast, as NAMESPACE/NAME")
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
	o.in.registerPrometheus(cmd.Flags())
	cmd.Flags().Var(&o.back, "back", "how much of the past to draw; needs --prometheus")
	cmd.Flags().Var(&o.ahead, "ahead",
		"how much of the future to draw (default the rest of the plan; with --prometheus one day)")
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
	p := plot{forecast: &list[0], now: now, back: time.Duration(o.back), ahead: time.Duration(o.ahead)}
	if p.ahead == 0 {
		p.ahead = p.defaultAhead(o.in.prometheus != "")
	}
	if p.spec, err = p.readSpec(ctx, c); err != nil {
		return fmt.Errorf("forecast %s/%s: %w", p.forecast.Namespace, p.forecast.Name, err)
	}
	if o.in.prometheus != "" {
		if err := p.readDemand(ctx, o.in, streams); err != nil {
			return err
		}
	}
	return p.draw(streams.Out, min(100, terminal.Columns(streams.Out, o.width)), o.height, colour)
}

// plot is what to draw. demand and expected are nil without --prometheus.
type plot struct {
	forecast    *v1alpha1.Forecast
	spec        spec.Spec
	now         time.Time
	back, ahead time.Duration
	demand      *history.Series
	expected    *forecaster.Outlook
}

// defaultAhead returns how much of the future to draw: the rest of the plan, or a day beside a day of
// history.
func (p *plot) defaultAhead(history bool) time.Duration {
	const day = 24 * time.Hour
	if published := p.forecast.Status.Plan; !history && published != nil {
		if left := published.End.Sub(p.now); left > 0 {
			return max(left, time.Minute)
		}
	}
	return day
}

// readSpec reads what the cluster says about the Forecast.
func (p *plot) readSpec(ctx context.Context, c client.Reader) (spec.Spec, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	return spec.Read(ctx, c, p.forecast, nil)
}

// readDemand reads the history and fits the forecast to it, as the server does.
func (p *plot) readDemand(ctx context.Context, in inputFlags, streams Streams) error {
	set := p.spec.Settings
	if !set.HasDemand {
		return fmt.Errorf("forecast %s/%s has no query, so it serves only its peaks: leave out --prometheus",
			p.forecast.Namespace, p.forecast.Name)
	}
	in.query, in.step, in.history = set.Query, promDuration(set.Step), promDuration(set.ReadSpan())
	all, err := in.read(ctx, streams, p.now)
	if err != nil {
		return explainUnreachable(err)
	}
	all[0].tell(streams.Err)
	p.demand = &all[0].Series
	set.Horizon = max(set.Horizon, p.ahead)
	known := forecaster.Series(*p.demand)
	var model planner.Model
	p.expected = model.Advance(planner.StepInput{
		Now: p.now, Settings: set, Series: &known, Lead: spec.Lead(set, p.forecast),
		Peaks: planner.Peaks{Schedules: p.spec.Peaks.Schedules}, Calendars: p.spec.Calendars(),
	})
	return model.Err()
}

// draw writes the chart and the notes about it.
func (p *plot) draw(w io.Writer, width, height int, colour bool) error {
	chart, notes, err := p.chart()
	if err != nil {
		return fmt.Errorf("forecast %s/%s: %w", p.forecast.Namespace, p.forecast.Name, err)
	}
	chart.Width, chart.Height, chart.Colour = width, height, colour
	lines := chart.Lines()
	for _, n := range notes {
		lines = append(lines, render.Wrap("note: ", n)...)
	}
	_, err = fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// chart returns the chart, and notes about what is missing in it.
func (p *plot) chart() (termchart.Chart, []string, error) {
	fc := p.forecast
	notes := slices.Clone(p.spec.Peaks.Warnings)
	chart := termchart.Chart{Title: p.title(), Start: p.now, End: p.now.Add(p.ahead), Now: p.now}
	if zone, err := fc.Spec.Seasonality.TimeZone.Location(); err == nil && fc.Spec.Seasonality.TimeZone != "" {
		chart.Location = zone
	}
	if p.demand != nil {
		chart.Start = p.now.Add(-p.back)
		chart.Area = termchart.SeriesOf("demand", p.demand.Start, p.demand.Step, p.demand.Values)
		chart.Dots = termchart.SeriesOf("expected", p.expected.Start, p.expected.Step, p.expected.Median)
		if !p.expected.Skilled {
			notes = append(notes, "the forecast has no skill on this history: it is drawn, but the server serves "+
				"observed demand instead")
		}
	} else {
		notes = append(notes,
			"to see the demand too, give --prometheus with an address that you can reach, such as "+portForward)
	}
	line, note, err := p.plan()
	if chart.Line = line; note != "" {
		notes = append(notes, note)
	}
	if len(p.spec.Peaks.Schedules) > 0 {
		chart.Lanes = []termchart.Lane{termchart.PeakLane(p.spec.Peaks.Schedules)}
	}
	return chart, notes, err
}

// plan returns the plan in the status, and a note if there is none or it has expired.
func (p *plot) plan() (termchart.Series, string, error) {
	fc := p.forecast
	if fc.Status.Plan == nil {
		note := fmt.Sprintf("there is no plan: kubectl headstart status %s/%s says why", fc.Namespace, fc.Name)
		return termchart.Series{}, note, nil
	}
	plan, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		return termchart.Series{}, "", err
	}
	note := ""
	if !plan.End().After(p.now) {
		note = fmt.Sprintf("the plan expired at %s: kubectl headstart status %s/%s says why there is no newer one",
			status.Stamp(fc.Status.Plan.End), fc.Namespace, fc.Name)
	}
	return termchart.Series{Name: "plan: demand to provision for", Max: func(from, to time.Time) (float64, bool) {
		return plan.Max(from, to.Add(-time.Nanosecond))
	}}, note, nil
}

// title returns one line with the state of the Forecast.
func (p *plot) title() string {
	fc := p.forecast
	parts := []string{fmt.Sprintf("%s/%s (%s)", fc.Namespace, fc.Name, fc.Spec.Mode)}
	if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status != "True" {
		parts = append(parts, "not ready: "+c.Reason)
	}
	if fc.Status.Observed != nil {
		parts = append(parts, "observed "+status.Sample(fc.Status.Observed))
	}
	if fc.Status.Served != nil {
		parts = append(parts, "served "+status.Sample(fc.Status.Served))
	}
	if fc.Status.LeadTime != nil {
		parts = append(parts, "lead "+string(fc.Status.LeadTime.Value))
	}
	if s := status.SkillOf(fc); s != "-" {
		parts = append(parts, "skill "+s)
	}
	return strings.Join(parts, ", ")
}
