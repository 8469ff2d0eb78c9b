package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// TextOptions say how to write for a terminal.
type TextOptions struct {
	// Day of the chart, any instant of it; zero is the one on which what runs today left the most unserved.
	Day time.Time
	// NoChart leaves the chart out.
	NoChart bool
	// Colour writes ANSI colours.
	Colour bool
}

// Text writes the report for a terminal: at most 100 columns.
func (d single) Text(w io.Writer, o TextOptions) error {
	p := &printer{w: w, colour: o.Colour}
	p.report(d.report, o)
	return p.err
}

// report writes one report, alone or among several.
func (p *printer) report(r *report.Report, o TextOptions) {
	p.head(r.Input)
	p.verdict(r)
	p.changes(r)
	if !o.NoChart {
		p.chart(r, o.Day)
	}
	p.policies(r)
	p.model(r)
	p.sweep(r.Sweep)
	for _, n := range r.Notes {
		p.wrap("note: ", n)
	}
	p.proposal(r.Proposal)
}

func (p *printer) head(in report.Input) {
	title := "Dry run"
	if in.Series != "" {
		title += " of " + in.Series
	}
	p.line("%s", title)
	step := format.Seconds(in.StepSeconds)
	p.line("  %s to %s, %s a step; %s of it is history", format.Time(in.Start), format.Time(in.End), step, format.Duration(in.From.Sub(in.Start)))
	gaps := ""
	if in.Gaps > 0 {
		gaps = fmt.Sprintf(", %s without a value", format.Count(in.Gaps))
	}
	p.line("  replayed from %s: %s steps%s", format.Time(in.From), format.Count(in.Scored), gaps)
	contract := fmt.Sprintf("service level %s", format.Plain(in.ServiceLevel))
	if in.ServiceLevel == 0 {
		contract = fmt.Sprintf("shortage cost %s", format.Plain(in.ShortageCost))
	}
	p.line("  lead %s, %s per replica, %s", format.Seconds(in.LeadSeconds), format.Significant(in.Capacity), contract)
	if len(in.Peaks) > 0 {
		p.wrap("  peaks: ", strings.Join(in.Peaks, ", "))
	}
	p.line("")
}

func (p *printer) verdict(r *report.Report) {
	if r.Verdict == "" {
		return
	}
	for _, line := range Wrap("", r.Verdict) {
		p.line("%s", p.bold(line))
	}
	for _, d := range r.Doubts {
		p.wrap("but: ", d)
	}
	if r.Gain != nil && len(r.Gain.Weeks) > 1 {
		p.wrap("", r.Gain.String()+".")
	}
	p.line("")
}

func (p *printer) changes(r *report.Report) {
	if len(r.Changes) == 0 {
		return
	}
	rows := [][]string{{"", r.Today, "headstart"}}
	for _, c := range r.Changes {
		rows = append(rows, []string{c.What, c.Today, c.Headstart})
	}
	p.table(rows)
	p.line("")
}

func (p *printer) sweep(points []report.SweepPoint) {
	if len(points) == 0 {
		return
	}
	p.line("")
	p.line("What a faster start is worth")
	rows := [][]string{{"lead", "headstart: unserved", "replica-h", "cost", "reactive: unserved", "replica-h", "cost"}}
	for _, s := range points {
		rows = append(rows, []string{
			format.Seconds(s.LeadSeconds), format.Share(s.Headstart.Unserved), format.Whole(s.Headstart.ReplicaHours), fmt.Sprintf("%.3f", s.Headstart.CostOverOracle),
			format.Share(s.Reactive.Unserved), format.Whole(s.Reactive.ReplicaHours), fmt.Sprintf("%.3f", s.Reactive.CostOverOracle),
		})
	}
	p.table(rows)
}

func (p *printer) proposal(m *report.Proposal) {
	if m == nil {
		return
	}
	p.line("")
	p.line("What to apply (query, target and names are yours to check)")
	p.line("")
	for line := range strings.Lines(m.Forecast + "---\n" + m.HPA) {
		p.line("    %s", strings.TrimSuffix(line, "\n"))
	}
}

func (p *printer) policies(r *report.Report) {
	rows := [][]string{{"policy", "unserved", "short", "longest", "replica-h", "used", "scalings", "cost"}}
	tuned := false
	for _, res := range r.Policies {
		if res.Figures == nil {
			rows = append(rows, []string{res.Policy, res.NotRun})
			continue
		}
		rows = append(rows, row(res.Policy, *res.Figures))
		if res.Tuned != nil {
			tuned = true
			rows = append(rows, row(fmt.Sprintf("  head-room × %.2f", res.Headroom), *res.Tuned))
		}
	}
	p.table(rows)
	p.line("")
	p.weeks(r.Policies)
	p.wrap("", fmt.Sprintf("unserved: share of the demand; short: share of steps with any of it; longest: run of short steps; used: "+
		"demand over what was paid; cost: replica-hours and %s times the unserved ones, over the oracle's.", format.Plain(r.Input.ShortageCost)))
	if tuned {
		p.wrap("", "head-room: the factor on the policy's demand that did best on the last third of the history.")
	}
	p.line("")
	for _, res := range r.Policies {
		p.wrap(fmt.Sprintf("%-19s", res.Policy), res.Label)
	}
	p.line("")
}

// weeks says how much the costs vary from week to week, and how sure that makes their mean.
func (p *printer) weeks(policies []report.Result) {
	var parts []string
	for _, res := range policies {
		if len(res.Weeks) > 1 && res.Policy != report.PolicyOracle {
			part := fmt.Sprintf("%s %.2f to %.2f", res.Policy, slices.Min(res.Weeks), slices.Max(res.Weeks))
			if res.WeeksHalfWidth > 0 {
				part += fmt.Sprintf(" (mean ± %.2f)", res.WeeksHalfWidth)
			}
			parts = append(parts, part)
		}
	}
	if len(parts) > 0 {
		p.wrap("cost by week: ", strings.Join(parts, ", "))
		p.line("")
	}
}

func row(name string, f report.Figures) []string {
	return []string{
		name, format.Share(f.Unserved), format.Share(f.Short), format.Seconds(f.LongestShortfallSeconds), format.Whole(f.ReplicaHours),
		format.Percent(f.Utilisation), format.Count(f.Scalings), fmt.Sprintf("%.3f", f.CostOverOracle),
	}
}

func (p *printer) model(r *report.Report) {
	m := r.Model
	if m == nil {
		return
	}
	var periods []string
	for _, s := range m.PeriodSeconds {
		periods = append(periods, format.Seconds(s))
	}
	if len(periods) == 0 {
		periods = []string{"none found"}
	}
	p.wrap("forecast: ", fmt.Sprintf("skill %.2f (below 0 it is not served), served at %s of the steps; periods: %s", m.Skill, format.Share(m.SkilledShare), strings.Join(periods, ", ")))
	asked := fmt.Sprintf("1 step in %s may be short", format.Plain(r.Input.ShortageCost))
	if r.Input.ServiceLevel > 0 {
		asked = fmt.Sprintf("%s of lead windows covered", format.Share(r.Input.ServiceLevel))
	}
	p.wrap("calibration: ", fmt.Sprintf("asked for %s; reached %s of lead windows and %s of steps covered", asked, format.Share(m.WindowsCovered), format.Share(m.StepsCovered)))
	for _, w := range m.Warnings {
		p.wrap("forecast: ", w)
	}
}
