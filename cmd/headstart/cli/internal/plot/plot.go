// Package plot draws the demand, the forecast and the plan of a Forecast in a terminal.
package plot

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/cmd/headstart/cli/internal/status"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report/render"
	"headstart.dev/headstart/report/termchart"
)

// Plot is what to draw. Demand and Expected are nil where no history was read.
type Plot struct {
	Forecast *v1alpha1.Forecast
	Spec     spec.Spec
	Now      time.Time
	// Back and Ahead are how much of the past and of the future to draw.
	Back, Ahead time.Duration
	Demand      *history.Series
	Expected    *forecaster.Outlook
	// HowTo says why no history was read, and how to see it.
	HowTo string
}

// DefaultAhead returns how much of the future to draw: the rest of the plan, or a day beside a day of
// history.
func (p *Plot) DefaultAhead(history bool) time.Duration {
	const day = 24 * time.Hour
	if published := p.Forecast.Status.Plan; !history && published != nil {
		if left := published.End.Sub(p.Now); left > 0 {
			return max(left, time.Minute)
		}
	}
	return day
}

// Expect fits the forecast to a history, as the server does, and draws both.
func (p *Plot) Expect(demand *history.Series) error {
	p.Demand = demand
	set := p.Spec.Settings
	set.Horizon = max(set.Horizon, p.Ahead)
	known := forecaster.Series(*demand)
	var model planner.Model
	p.Expected = model.Advance(planner.StepInput{
		Now: p.Now, Settings: set, Series: &known, Lead: spec.Lead(set, p.Forecast),
		Peaks: planner.Peaks{Schedules: p.Spec.Peaks.Schedules}, Calendars: p.Spec.Calendars(),
	})
	return model.Err()
}

// Draw writes the chart and the notes about it.
func (p *Plot) Draw(w io.Writer, width, height int, colour bool) error {
	chart, notes, err := p.chart()
	if err != nil {
		return fmt.Errorf("forecast %s/%s: %w", p.Forecast.Namespace, p.Forecast.Name, err)
	}
	chart.Width, chart.Height, chart.Colour = width, height, colour
	lines := append(render.WrapTo(width, "", chart.Title), chart.Lines()[1:]...)
	for _, n := range notes {
		lines = append(lines, render.WrapTo(width, "note: ", n)...)
	}
	_, err = fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// chart returns the chart, and notes about what is missing in it.
func (p *Plot) chart() (termchart.Chart, []string, error) {
	fc := p.Forecast
	notes := slices.Clone(p.Spec.Peaks.Warnings)
	chart := termchart.Chart{Title: p.title(), Start: p.Now, End: p.Now.Add(p.Ahead), Now: p.Now}
	if zone, err := fc.Spec.Seasonality.TimeZone.Location(); err == nil && fc.Spec.Seasonality.TimeZone != "" {
		chart.Location = zone
	}
	if p.Demand != nil {
		chart.Start = p.Now.Add(-p.Back)
		chart.Area = termchart.SeriesOf("demand", p.Demand.Start, p.Demand.Step, p.Demand.Values)
		chart.Dots = termchart.SeriesOf("expected", p.Expected.Start, p.Expected.Step, p.Expected.Median)
		if !p.Expected.Skilled {
			notes = append(notes, "the forecast has no skill on this history: it is drawn, but the server serves "+
				"observed demand instead")
		}
	} else {
		notes = append(notes, p.HowTo)
	}
	line, note, err := p.plan()
	if chart.Line = line; note != "" {
		notes = append(notes, note)
	}
	if len(p.Spec.Peaks.Schedules) > 0 {
		chart.Lanes = []termchart.Lane{termchart.PeakLane(p.Spec.Peaks.Schedules)}
	}
	return chart, notes, err
}

// plan returns the plan in the status, and a note if there is none or it has expired.
func (p *Plot) plan() (termchart.Series, string, error) {
	fc := p.Forecast
	if fc.Status.Plan == nil {
		note := fmt.Sprintf("there is no plan: kubectl headstart status %s/%s says why", fc.Namespace, fc.Name)
		return termchart.Series{}, note, nil
	}
	plan, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		return termchart.Series{}, "", err
	}
	note := ""
	if !plan.End().After(p.Now) {
		note = fmt.Sprintf("the plan expired at %s: kubectl headstart status %s/%s says why there is no newer one",
			status.Stamp(fc.Status.Plan.End), fc.Namespace, fc.Name)
	}
	return termchart.Series{Name: "plan: demand to provision for", Max: func(from, to time.Time) (float64, bool) {
		return plan.Max(from, to.Add(-time.Nanosecond))
	}}, note, nil
}

// title returns one line with the state of the Forecast.
func (p *Plot) title() string {
	fc := p.Forecast
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
