package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// indexRow is a report in a line, in words.
type indexRow struct {
	Name                                                     string
	Known                                                    bool
	UnservedToday, Unserved, HoursToday, Hours, Cost, Advice string
}

// index is a line for each.
func index(b *report.Bundle) []indexRow {
	out := make([]indexRow, len(b.Reports))
	for i, one := range b.Reports {
		row := indexRow{Name: one.Name, Advice: one.NotRun, UnservedToday: "–", Unserved: "–", HoursToday: "–", Hours: "–", Cost: "–"}
		if r := one.Report; r != nil {
			row.Known = true
			if head, ok := r.Result(report.PolicyHeadstart); ok && head.Figures != nil {
				row.Unserved, row.Hours, row.Advice = format.Share(head.Unserved), format.Whole(head.ReplicaHours), "nothing to compare with was run"
			}
			if r.Gain != nil {
				today, _ := r.Result(r.Today)
				row.UnservedToday, row.HoursToday = format.Share(today.Unserved), format.Whole(today.ReplicaHours)
				row.Cost, row.Advice = fmt.Sprintf("%+.0f %%", 100*(0-r.Gain.Share)), r.Advice // 0 - 0 is no -0
			}
		}
		out[i] = row
	}
	return out
}

// summary says in a sentence what switching Headstart on for all of them would change.
func summary(b *report.Bundle) string {
	var hours, hoursToday float64
	run, helped := 0, 0
	for _, one := range b.Reports {
		if one.Report == nil || one.Report.Gain == nil {
			continue
		}
		head, _ := one.Report.Result(report.PolicyHeadstart)
		today, _ := one.Report.Result(one.Report.Today)
		run++
		hours += head.ReplicaHours
		hoursToday += today.ReplicaHours
		if one.Report.Gain.Worthwhile() {
			helped++
		}
	}
	if run == 0 {
		return "None of them could be compared."
	}
	return fmt.Sprintf("Headstart would have been worth switching on for %d of %d. All %d together would have paid %s replica-hours instead of %s (%s).",
		helped, len(b.Reports), run, format.Whole(hours), format.Whole(hoursToday), format.Change(hours, hoursToday))
}

// Text writes a line about each, then each.
func (d several) Text(w io.Writer, o TextOptions) error {
	p := &printer{w: w, colour: o.Colour}
	p.line("Dry run of %s", d.bundle.Title)
	p.line("")
	for _, line := range Wrap("", summary(d.bundle)) {
		p.line("%s", p.bold(line))
	}
	p.line("")
	rows := [][]string{{"Forecast", "unserved today", "headstart", "replica-h today", "headstart", "cost"}}
	for _, row := range index(d.bundle) {
		if !row.Known {
			rows = append(rows, []string{row.Name, "not run"})
			continue
		}
		rows = append(rows, []string{row.Name, row.UnservedToday, row.Unserved, row.HoursToday, row.Hours, row.Cost})
	}
	p.table(rows)
	for _, one := range d.bundle.Reports {
		p.line("")
		if one.Report == nil {
			p.wrap(one.Name+": ", one.NotRun)
			continue
		}
		p.report(one.Report, o)
	}
	return p.err
}

// CSV writes one row for each report and policy. A report alone has its rows step by step.
func (d several) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"forecast", "policy", "unserved", "short", "replicaHours", "utilisation", "scalings", "costOverOracle", "notRun"}) // its error comes with Flush
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, one := range d.bundle.Reports {
		if one.Report == nil {
			_ = out.Write([]string{one.Name, "", "", "", "", "", "", "", one.NotRun})
			continue
		}
		for _, p := range one.Report.Policies {
			row := []string{one.Name, p.Policy, "", "", "", "", "", "", p.NotRun}
			if f := p.Figures; f != nil {
				row = []string{
					one.Name, p.Policy, number(f.Unserved), number(f.Short), number(f.ReplicaHours), number(f.Utilisation), strconv.Itoa(f.Scalings), number(f.CostOverOracle), "",
				}
			}
			_ = out.Write(row)
		}
	}
	out.Flush()
	return out.Error()
}

// HTML writes one page with an index of all, each to be opened.
func (d several) HTML(w io.Writer) error {
	var sections []section
	for i, one := range d.bundle.Reports {
		if one.Report == nil {
			continue
		}
		s, err := newSection(one.Report, one.Name, len(sections) == 0)
		if err != nil {
			return err
		}
		s.ID = "f" + strconv.Itoa(i)
		sections = append(sections, s)
	}
	return writePage(w, map[string]any{"Title": d.bundle.Title, "Index": index(d.bundle), "Summary": summary(d.bundle), "Sections": sections})
}
