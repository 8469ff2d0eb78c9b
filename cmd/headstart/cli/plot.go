package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/meta"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report/render"
	"headstart.dev/headstart/report/termchart"
)

// plotOptions are the flags of plot, one to one.
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
	o := plotOptions{back: promDuration(24 * time.Hour), ahead: promDuration(24 * time.Hour), colour: "auto"}
	cmd := &cobra.Command{
		Use:   "plot [NAMESPACE/]NAME",
		Short: "Chart the history, the forecast and the plan of a Forecast in the terminal",
		Long: `Plot draws the plan that a Forecast serves from, as it stands in the cluster, read with your own permissions. With --prometheus it
draws the demand that led to it too, and what the forecast expects: fitted here, from the same history and by the same code as in the
server.`,
		Example: `  kubectl headstart plot shop/face-fusion
  kubectl port-forward -n monitoring service/prometheus 9090 &
  kubectl headstart plot shop/face-fusion --prometheus http://localhost:9090 --back 2d`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one Forecast, as NAMESPACE/NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), streams, args[0], time.Now())
		},
	}
	o.cluster = newNamespacedFlags(cmd.Flags())
	o.in.registerPrometheus(cmd.Flags())
	cmd.Flags().Var(&o.back, "back", "how much of the past to draw, with --prometheus")
	cmd.Flags().Var(&o.ahead, "ahead", "how much of the future to draw")
	cmd.Flags().IntVar(&o.width, "width", 0, "columns of the chart; 0 is those of the terminal, 100 at most")
	cmd.Flags().IntVar(&o.height, "height", 16, "rows of the chart")
	cmd.Flags().StringVar(&o.colour, "color", "auto", "auto (on a terminal), always or never")
	return cmd
}

func (o *plotOptions) run(ctx context.Context, streams Streams, name string, now time.Time) error {
	colour, err := useColour(o.colour, streams.Out)
	if err != nil {
		return err
	}
	if o.back < 0 || o.ahead <= 0 || o.height < 4 || o.width != 0 && o.width < 40 {
		return errors.New("--back must not be below 0, --ahead must be above it, --height at least 4 and --width at least 40")
	}
	c, err := o.cluster.client()
	if err != nil {
		return err
	}
	namespace, err := o.cluster.namespace()
	if err != nil {
		return err
	}
	list, err := forecasts(ctx, c, namespace, []string{name})
	if err != nil {
		return err
	}
	p := plot{forecast: &list[0], now: now, back: time.Duration(o.back), ahead: time.Duration(o.ahead)}
	if p.spec, err = readSpec(ctx, c, p.forecast, nil); err != nil {
		return fmt.Errorf("forecast %s/%s: %w", p.forecast.Namespace, p.forecast.Name, err)
	}
	if o.in.prometheus != "" {
		if err := p.readDemand(ctx, o.in, streams); err != nil {
			return err
		}
	}
	return p.draw(streams.Out, min(100, columnsOf(streams.Out, o.width)), o.height, colour)
}

// plot is what there is to draw.
type plot struct {
	forecast    *v1alpha1.Forecast
	spec        clusterSpec
	now         time.Time
	back, ahead time.Duration
	demand      *history.Series
	expected    *forecaster.Outlook
}

// readDemand reads the history and fits to it, as the server does.
func (p *plot) readDemand(ctx context.Context, in inputFlags, streams Streams) error {
	set := p.spec.settings
	if !set.HasDemand {
		return fmt.Errorf("forecast %s/%s has no query: it serves its peaks alone, leave out --prometheus", p.forecast.Namespace, p.forecast.Name)
	}
	in.query, in.step, in.history = set.Query, promDuration(set.Step), promDuration(set.ReadSpan())
	all, err := in.read(ctx, streams, p.now)
	if err != nil {
		return reachable(err)
	}
	p.demand = &all[0].Series
	set.Horizon = max(set.Horizon, p.ahead)
	known := forecaster.Series(*p.demand)
	var model planner.Model
	p.expected = model.Advance(planner.StepInput{
		Now: p.now, Settings: set, Series: &known, Lead: leadForReplay(set, p.forecast),
		Peaks: planner.Peaks{Schedules: p.spec.peaks.Schedules}, Calendars: p.spec.calendars(),
	})
	return model.Err()
}

// draw writes the chart and what to know about it.
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

// chart is what is known, and notes about what is not.
func (p *plot) chart() (termchart.Chart, []string, error) {
	fc := p.forecast
	notes := slices.Clone(p.spec.peaks.Warnings)
	chart := termchart.Chart{Title: p.title(), Start: p.now, End: p.now.Add(p.ahead), Now: p.now}
	if zone, err := fc.Spec.Seasonality.TimeZone.Location(); err == nil && fc.Spec.Seasonality.TimeZone != "" {
		chart.Location = zone
	}
	if p.demand != nil {
		chart.Start = p.now.Add(-p.back)
		chart.Area = termchart.SeriesOf("demand", p.demand.Start, p.demand.Step, p.demand.Values)
		chart.Dots = termchart.SeriesOf("expected", p.expected.Start, p.expected.Step, p.expected.Median)
		if !p.expected.Skilled {
			notes = append(notes, "the forecast has no skill on this history: it is drawn, and observed demand is served instead")
		}
	} else {
		notes = append(notes, "give --prometheus with an address that you can reach to see the demand too, such as http://localhost:9090 after "+
			"kubectl port-forward -n MONITORING service/PROMETHEUS 9090")
	}
	line, note, err := p.plan()
	if chart.Line = line; note != "" {
		notes = append(notes, note)
	}
	if len(p.spec.peaks.Schedules) > 0 {
		chart.Lanes = []termchart.Lane{termchart.PeakLane(p.spec.peaks.Schedules)}
	}
	return chart, notes, err
}

// plan is the one in status, or a note about why there is none.
func (p *plot) plan() (termchart.Series, string, error) {
	fc := p.forecast
	if fc.Status.Plan == nil {
		return termchart.Series{}, fmt.Sprintf("there is no plan: kubectl headstart status %s/%s says why", fc.Namespace, fc.Name), nil
	}
	plan, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		return termchart.Series{}, "", err
	}
	note := ""
	if !plan.End().After(p.now) {
		note = fmt.Sprintf("the plan was outlived at %s: kubectl headstart status %s/%s says why there is no newer one", stamp(fc.Status.Plan.End), fc.Namespace, fc.Name)
	}
	return termchart.Series{Name: "plan: demand to provision for", At: func(from, to time.Time) (float64, bool) {
		return plan.Max(from, to.Add(-time.Nanosecond))
	}}, note, nil
}

// title says what is served and why, in a line.
func (p *plot) title() string {
	fc := p.forecast
	parts := []string{fmt.Sprintf("%s/%s (%s)", fc.Namespace, fc.Name, fc.Spec.Mode)}
	if c := meta.FindStatusCondition(fc.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status != "True" {
		parts = append(parts, "not ready: "+c.Reason)
	}
	if fc.Status.Observed != nil {
		parts = append(parts, "observed "+sample(fc.Status.Observed))
	}
	if fc.Status.Served != nil {
		parts = append(parts, "served "+sample(fc.Status.Served))
	}
	if fc.Status.LeadTime != nil {
		parts = append(parts, "lead "+string(fc.Status.LeadTime.Value))
	}
	if s := skillOf(fc); s != "-" {
		parts = append(parts, "skill "+s)
	}
	return strings.Join(parts, ", ")
}

// useColour says whether to write colours to w.
func useColour(flag string, w io.Writer) (bool, error) {
	switch flag {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return isTerminal(w) && os.Getenv("NO_COLOR") == "", nil
	}
	return false, fmt.Errorf("--color %q is unknown: auto, always or never", flag)
}

// isTerminal says whether somebody watches a stream. One that is no file may know that for itself.
func isTerminal(w any) bool {
	switch w := w.(type) {
	case *os.File:
		return term.IsTerminal(int(w.Fd()))
	case interface{ IsTerminal() bool }:
		return w.IsTerminal()
	}
	return false
}

// columnsOf is the width that was asked for, or that of the terminal; 100 elsewhere.
func columnsOf(w io.Writer, asked int) int {
	if asked > 0 {
		return asked
	}
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= 40 {
			return width
		}
	}
	return math.MaxInt
}

// reachable adds to an error of the network how to come near a Prometheus inside of a cluster.
func reachable(err error) error {
	switch history.KindOf(err) {
	case history.ErrUnreachable, history.ErrTimeout:
		return fmt.Errorf("%w; a Prometheus inside of a cluster is reached through kubectl port-forward -n MONITORING service/PROMETHEUS 9090, "+
			"as --prometheus http://localhost:9090", err)
	}
	return err
}
