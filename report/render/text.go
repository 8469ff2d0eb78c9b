package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/propose"
)

// TextOptions are the choices of the text format.
type TextOptions struct {
	// Day is any instant of the day that the chart shows. The zero time is the day on which the
	// policy that Headstart is compared with left the most demand unserved.
	Day time.Time
	// NoChart leaves the chart out.
	NoChart bool
	// Colour allows ANSI colours.
	Colour bool
}

// Text implements Document.
func (d single) Text(w io.Writer, o TextOptions) error {
	p := &printer{w: w, colour: o.Colour}
	p.report(d.report, o)
	return p.err
}

// Text implements Document.
func (d several) Text(w io.Writer, o TextOptions) error {
	p := &printer{w: w, colour: o.Colour}
	p.line("Dry run of %s", d.bundle.Title)
	p.line("")
	for _, line := range Wrap("", summary(d.bundle)) {
		p.line("%s", p.bold(line))
	}
	p.line("")
	rows := [][]string{{"service", "unserved", unit(d.bundle) + " today", "headstart", "at the same service"}}
	for _, row := range index(d.bundle) {
		if !row.Run {
			rows = append(rows, []string{row.Name, "not run"})
			continue
		}
		rows = append(rows, []string{row.Name, row.Unserved, row.HoursToday, row.Hours, row.Cost})
	}
	p.table(rows)
	if text := briefly(d.bundle); text != "" {
		p.line("")
		p.wrap("", text)
	}
	for _, one := range d.bundle.Reports {
		if one.Report != nil && one.Report.Brief {
			continue
		}
		p.line("")
		if one.Report == nil {
			p.wrap(one.Name+": ", one.NotRun)
			continue
		}
		p.report(one.Report, o)
	}
	return p.err
}

// report writes one report.
func (p *printer) report(r *report.Report, o TextOptions) {
	p.head(r.Input)
	p.verdict(r)
	p.changes(r)
	p.capacity(r)
	if !o.NoChart {
		p.chart(r, o.Day)
	}
	p.comparison(r)
	p.model(r)
	p.sweep(r.Sweep)
	for _, note := range r.Notes {
		p.wrap("note: ", note)
	}
	p.proposal(r.Proposal)
}

func (p *printer) head(in report.Input) {
	title := "Dry run"
	if in.Series != "" {
		title += " of " + in.Series
	}
	p.line("%s", title)
	p.line("  %s to %s in steps of %s; the first %s are history",
		format.Time(in.Start), format.Time(in.End), format.Seconds(in.StepSeconds), format.Duration(in.From.Sub(in.Start)))
	gaps := ""
	if in.Gaps > 0 {
		gaps = fmt.Sprintf(", %s of them without a value", format.Count(in.Gaps))
	}
	p.line("  replayed from %s: %s steps%s", format.Time(in.From), format.Count(in.Scored), gaps)
	p.line("  lead %s, capacity %s per replica, %s",
		format.Seconds(in.LeadSeconds), format.Significant(in.Capacity), contract(in))
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
	if r.Decision != nil {
		for _, reason := range r.Decision.Reasons[1:] {
			p.wrap("  also: ", reason)
		}
	}
	p.line("")
	for _, line := range r.Headline {
		p.wrap("", line)
	}
	if o := r.Objective; o != nil && o.Summary != "" {
		p.wrap("", o.Summary)
	}
	if r.Baseline != nil {
		p.wrap("", baselineNote(r))
	}
	p.line("")
}

func (p *printer) changes(r *report.Report) {
	if len(r.Changes) == 0 {
		return
	}
	rows := [][]string{{"", todayName(r), "headstart"}}
	for _, c := range r.Changes {
		rows = append(rows, []string{c.What, c.Today, c.Headstart})
	}
	p.table(rows)
	p.line("")
}

// capacity writes what was learned about a replica, and what it is worth.
func (p *printer) capacity(r *report.Report) {
	if r.Capacity == nil {
		return
	}
	p.line("What a replica serves")
	for _, words := range capacityWords(r) {
		p.wrap("  ", words)
	}
	p.line("")
	if rows := capacityRows(r); rows != nil {
		p.table(rows)
		p.line("")
	}
}

// comparison writes the table of all policies, and explains its columns and rows.
func (p *printer) comparison(r *report.Report) {
	rows := [][]string{{
		"policy", "unserved", "short", "longest", "replica-h", "used", "scalings", "cost", "same service",
	}}
	for _, row := range comparedRows(r) {
		if row.F == nil {
			rows = append(rows, []string{row.Name, row.NotRun})
			continue
		}
		rows = append(rows, comparisonRow(row))
	}
	p.table(rows)
	p.line("")
	for _, t := range terms(r) {
		p.wrap(fmt.Sprintf("%-19s", t.Word), t.Meaning)
	}
	p.line("")
	for _, result := range r.Policies {
		p.wrap(fmt.Sprintf("%-19s", result.Policy), result.Label)
	}
	p.line("")
	p.frontiers(r)
	if r.Gain != nil && len(r.Gain.Weeks) > 1 && r.Input.ServiceLevel == 0 {
		p.wrap("", sentence(r.Gain.String()))
	}
	p.weeks(r.Policies)
}

// frontiers writes what each policy pays at some services.
func (p *printer) frontiers(r *report.Report) {
	rows := servedRows(r)
	if len(rows) == 0 {
		return
	}
	p.line("%s to serve so much of the demand, with the setting that does", sentenceCase(r.Unit()))
	p.table(rows)
	p.line("")
}

func comparisonRow(row comparedRow) []string {
	f := *row.F
	return []string{
		row.Name, format.Share(f.Unserved), format.Share(f.Short), format.Seconds(f.LongestShortfallSeconds),
		format.Whole(f.ReplicaHours), format.Percent(f.Utilisation), format.Count(f.Scalings), cost(f.CostOverOracle),
		row.AtService,
	}
}

// weeks writes how much the costs vary from week to week.
func (p *printer) weeks(results []report.Result) {
	var parts []string
	for _, result := range results {
		if weeks := weekRange(result); weeks != "" && result.Policy != report.PolicyOracle {
			parts = append(parts, result.Policy+" "+weeks)
		}
	}
	if len(parts) > 0 {
		p.wrap("weighed cost by week: ", strings.Join(parts, ", "))
		p.line("")
	}
}

func (p *printer) model(r *report.Report) {
	if r.Model == nil {
		return
	}
	p.wrap("forecast: ", skill(*r.Model))
	p.wrap("calibration: ", calibration(r.Input, *r.Model))
	if r.Spend != nil {
		p.wrap("spend: ", spending(*r.Spend))
	}
	for _, warning := range r.Model.Warnings {
		p.wrap("forecast: ", warning)
	}
}

func (p *printer) sweep(points []report.SweepPoint) {
	if len(points) == 0 {
		return
	}
	p.line("")
	p.line("What a faster start is worth")
	rows := [][]string{{"lead", "headstart: unserved", "replica-h", "cost", "reactive: unserved", "replica-h", "cost"}}
	for _, s := range points {
		row := []string{format.Seconds(s.LeadSeconds)}
		for _, f := range []report.Figures{s.Headstart, s.Reactive} {
			row = append(row, format.Share(f.Unserved), format.Whole(f.ReplicaHours), cost(f.CostOverOracle))
		}
		rows = append(rows, row)
	}
	p.table(rows)
}

func (p *printer) proposal(manifests *propose.Proposal) {
	if manifests == nil {
		return
	}
	p.line("")
	p.line("What to apply (check the query, the target and the names)")
	p.line("")
	for line := range strings.Lines(manifests.Forecast + "---\n" + manifests.HPA) {
		p.line("    %s", strings.TrimSuffix(line, "\n"))
	}
}
