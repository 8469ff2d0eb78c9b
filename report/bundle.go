package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// BundleSchema of the JSON form of a Bundle.
const BundleSchema = "headstart.dev/reports/v1alpha1"

// Bundle is the dry runs of several Forecasts.
type Bundle struct {
	// Schema names the form of the JSON.
	Schema string `json:"schema"`
	// Title says whose they are.
	Title string `json:"title"`
	// Reports, in order.
	Reports []Bundled `json:"reports"`
}

// Bundled is one of them: a report, or why there is none.
type Bundled struct {
	Name   string  `json:"name"`
	Report *Report `json:"report,omitempty"`
	// NotRun says why there is no report.
	NotRun string `json:"notRun,omitempty"`
}

// NewBundle of reports.
func NewBundle(title string, reports []Bundled) *Bundle {
	return &Bundle{Schema: BundleSchema, Title: title, Reports: reports}
}

// indexRow is a report in a line, in words.
type indexRow struct {
	Name                                                     string
	Known                                                    bool
	UnservedToday, Unserved, HoursToday, Hours, Cost, Advice string
}

// index is a line for each.
func (b *Bundle) index() []indexRow {
	out := make([]indexRow, len(b.Reports))
	for i, one := range b.Reports {
		row := indexRow{Name: one.Name, Advice: one.NotRun, UnservedToday: "–", Unserved: "–", HoursToday: "–", Hours: "–", Cost: "–"}
		if r := one.Report; r != nil {
			row.Known = true
			if head, ok := r.Result(PolicyHeadstart); ok && head.Figures != nil {
				row.Unserved, row.Hours, row.Advice = share(head.Unserved), whole(head.ReplicaHours), "nothing to compare with was run"
				if today, ok := r.Result(r.Today); ok && today.Figures != nil {
					row.UnservedToday, row.HoursToday = share(today.Unserved), whole(today.ReplicaHours)
					row.Cost, row.Advice = fmt.Sprintf("%+.0f %%", 100*(ratio(head.Cost, today.Cost)-1)), r.advice
				}
			}
		}
		out[i] = row
	}
	return out
}

// summary says in a sentence what switching Headstart on for all of them would change.
func (b *Bundle) summary() string {
	var head, today Figures
	run, helped := 0, 0
	for _, one := range b.Reports {
		if one.Report == nil {
			continue
		}
		h, _ := one.Report.Result(PolicyHeadstart)
		t, _ := one.Report.Result(one.Report.Today)
		if h.Figures == nil || t.Figures == nil {
			continue
		}
		run++
		head.ReplicaHours += h.ReplicaHours
		today.ReplicaHours += t.ReplicaHours
		if 1-ratio(h.Cost, t.Cost) > gainful {
			helped++
		}
	}
	if run == 0 {
		return "None of them could be compared."
	}
	return fmt.Sprintf("Headstart would have been worth switching on for %d of %d. All %d together would have paid %s replica-hours instead of %s (%s).",
		helped, len(b.Reports), run, whole(head.ReplicaHours), whole(today.ReplicaHours), more(ratio(head.ReplicaHours, today.ReplicaHours)))
}

// JSON writes an object with all of them.
func (b *Bundle) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(b)
}

// Text writes a line about each, then each.
func (b *Bundle) Text(w io.Writer, o TextOptions) error {
	p := &printer{w: w, colour: o.Colour}
	p.line("Dry run of %s", b.Title)
	p.line("")
	for _, line := range Wrap("", b.summary()) {
		p.line("%s", p.bold(line))
	}
	p.line("")
	rows := [][]string{{"Forecast", "unserved today", "headstart", "replica-h today", "headstart", "cost"}}
	for _, row := range b.index() {
		if !row.Known {
			rows = append(rows, []string{row.Name, "not run"})
			continue
		}
		rows = append(rows, []string{row.Name, row.UnservedToday, row.Unserved, row.HoursToday, row.Hours, row.Cost})
	}
	p.table(rows)
	for _, one := range b.Reports {
		p.line("")
		if one.Report == nil {
			p.wrap(one.Name+": ", one.NotRun)
			continue
		}
		if p.err == nil {
			p.err = one.Report.Text(w, o)
		}
	}
	return p.err
}

// CSV writes one row for each report and policy. A report alone has its rows step by step.
func (b *Bundle) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"forecast", "policy", "unserved", "short", "replicaHours", "utilisation", "scalings", "costOverOracle", "notRun"}) // its error comes with Flush
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, one := range b.Reports {
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
func (b *Bundle) HTML(w io.Writer) error {
	var sections []section
	for i, one := range b.Reports {
		if one.Report == nil {
			continue
		}
		s, err := one.Report.section(one.Name, len(sections) == 0)
		if err != nil {
			return err
		}
		s.ID = "f" + strconv.Itoa(i)
		sections = append(sections, s)
	}
	return writePage(w, map[string]any{"Title": b.Title, "Index": b.index(), "Summary": b.summary(), "Sections": sections})
}
