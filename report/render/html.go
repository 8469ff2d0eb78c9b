package render

import (
	"bufio"
	_ "embed" // the parts of the page
	"encoding/json"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/verdict"
)

// uPlot draws the charts. It is version 1.6.32 of the npm package, with the checksum
// sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==
// Its licence is part of each page.
var (
	//go:embed assets/uPlot.iife.min.js
	uplotJS string
	//go:embed assets/uPlot.min.css
	uplotCSS string
	//go:embed assets/uPlot.LICENSE
	uplotLicense string
	//go:embed assets/page.html
	pageHTML string
	//go:embed assets/page.css
	pageCSS string
	//go:embed assets/page.js
	pageJS string
)

// page is the data of the template page.html.
type page struct {
	Title string
	// Summary, Briefly, Unit and Index are those of a bundle. They are empty for one report. Unit is
	// what is paid. Briefly says that some services have no details.
	Summary  string
	Briefly  string
	Unit     string
	Index    []indexRow
	Sections []section

	CSS         template.CSS
	UPlot, Page template.JS
	License     string
}

// section is one report on the page.
type section struct {
	// ID, Name and Open are those of a bundle: the anchor, the heading, and whether the section is
	// open at first.
	ID, Name string
	Open     bool

	Report  *report.Report
	History time.Duration
	// Settings are the tiles, and PriceOf is what a price is paid for.
	Settings []setting
	PriceOf  string
	// Wide and Narrow are the picture of the frontiers in two sizes, and Chips its legend.
	Wide, Narrow template.HTML
	Chips        []chip
	// Capacity is what was learned about a replica, in words, with a picture in two sizes and a table.
	Capacity                     []string
	CapacityWide, CapacityNarrow template.HTML
	CapacityRows                 [][]string
	// Baseline says where the policy of today comes from. Unit is what is paid, and Served is the
	// table of what some services cost.
	Baseline, Unit string
	Served         [][]string
	// Charted are the policies of the charts.
	Charted []charted
	Rows    []comparedRow
	// HasWeeks, HasGPUs and HasMoney report whether the table has a column for it.
	HasWeeks, HasGPUs, HasMoney bool
	// Timeline is the data of the charts, as JSON.
	Timeline template.JS
}

// chip names a policy in its colour.
type chip struct {
	Policy string
	Main   bool
}

// charted is a policy of the charts. Marked reports whether its shortfalls are marked at first.
type charted struct {
	Name   string
	Marked bool
}

// comparedRow is a row in the table of policies.
type comparedRow struct {
	report.Result
	Name string
	// F is the figures of the row, or nil if the policy was not run.
	F *report.Figures
	// AtService compares Headstart with the row, at the row's service.
	AtService string
	// Headstart reports whether the row is Headstart's, Tuned whether it is a policy's with headroom,
	// and Today whether Headstart is compared with it.
	Headstart, Tuned, Today bool
}

// HTML implements Document.
func (d single) HTML(w io.Writer) error {
	s, err := newSection(d.report)
	if err != nil {
		return err
	}
	return page{Title: d.report.Input.Series, Sections: []section{s}}.write(w)
}

// HTML implements Document. The page has an index. Each report is drawn when it is opened.
func (d several) HTML(w io.Writer) error {
	p := page{
		Title: d.bundle.Title, Index: index(d.bundle), Summary: summary(d.bundle), Briefly: briefly(d.bundle),
		Unit: unit(d.bundle),
	}
	for i, one := range d.bundle.Reports {
		if one.Report == nil || one.Report.Brief {
			continue
		}
		s, err := newSection(one.Report)
		if err != nil {
			return err
		}
		s.ID, s.Name, s.Open = "f"+strconv.Itoa(i), one.Name, len(p.Sections) == 0
		p.Sections = append(p.Sections, s)
	}
	return p.write(w)
}

func newSection(r *report.Report) (section, error) {
	// json.Marshal escapes <, > and &, so no value can end the script.
	timeline, err := json.Marshal(newTimeline(r))
	anyResult := func(holds func(report.Result) bool) bool { return slices.ContainsFunc(r.Policies, holds) }
	out := section{
		Report:   r,
		Settings: settings(r), PriceOf: strings.TrimSuffix(r.Unit(), "s"), Unit: sentenceCase(r.Unit()),
		Wide: frontierPicture(r, 760), Narrow: frontierPicture(r, 352), Chips: chips(r), Served: servedRows(r),
		Charted:  chartedNames(r),
		History:  r.Input.From.Sub(r.Input.Start),
		Rows:     comparedRows(r),
		HasWeeks: anyResult(func(p report.Result) bool { return len(p.Weeks) > 1 }),
		HasGPUs:  anyResult(func(p report.Result) bool { return p.Figures != nil && p.GPUHours > 0 }),
		HasMoney: anyResult(func(p report.Result) bool { return p.Figures != nil && p.Money > 0 }),
		Timeline: template.JS(timeline), //nolint:gosec // our own data, escaped above
	}
	if r.Baseline != nil {
		out.Baseline = baselineNote(r)
	}
	if c := r.Capacity; c != nil {
		out.Capacity, out.CapacityRows = capacityWords(r), capacityRows(r)
		out.CapacityWide, out.CapacityNarrow = capacityPicture(c, 760), capacityPicture(c, 352)
	}
	return out, err
}

// chips returns the legend of the picture of frontiers.
func chips(r *report.Report) []chip {
	var out []chip
	for _, p := range r.Policies {
		if len(p.Frontier) > 0 {
			main := p.Policy == report.PolicyHeadstart || r.Baseline != nil && p.Policy == r.Baseline.Policy
			out = append(out, chip{p.Policy, main})
		}
	}
	return out
}

// chartedNames returns the names of the lines of replicas. At first, the shortfalls of the policy
// of today are marked.
func chartedNames(r *report.Report) []charted {
	var out []charted
	marked := report.PolicyHeadstart
	if r.Baseline != nil {
		marked = r.Baseline.Name()
	}
	for _, line := range policyLines(r) {
		out = append(out, charted{line.Policy, line.Policy == marked})
	}
	return out
}

// comparedRows returns the rows of the table of policies. A star marks the one that Headstart is
// compared with.
func comparedRows(r *report.Report) []comparedRow {
	var out []comparedRow
	add := func(row comparedRow) {
		if b := r.Baseline; b != nil && row.F != nil && row.Policy == b.Policy && row.Tuned == b.Tuned {
			row.Today = true
			row.Name += " *"
		}
		if row.F != nil && r.Baseline != nil && report.IsRival(row.Policy) {
			row.AtService = atService(*row.F)
		}
		out = append(out, row)
	}
	for _, p := range r.Policies {
		add(comparedRow{Result: p, Name: p.Policy, F: p.Figures, Headstart: p.Policy == report.PolicyHeadstart})
		if p.Tuned != nil {
			add(comparedRow{Result: p, Name: report.RowName(p.Policy, p.Headroom, true), F: p.Tuned, Tuned: true})
		}
	}
	return out
}

func (p page) write(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"share": format.Share, "percent": format.Percent, "count": format.Count, "whole": format.Whole,
		"significant": format.Significant, "number": format.Number,
		"time": format.Time, "seconds": format.Seconds, "duration": format.Duration,
		"cost": cost, "contract": contract, "skill": skill, "calibration": calibration, "weeks": weekRange,
		"spending": spending,
		"terms":    terms, "sentence": sentence,
		"code": func(a verdict.Advice) string { return string(a) },
	}).Parse(pageHTML)
	if err != nil {
		return err
	}
	p.CSS = template.CSS(Stylesheet())                          //nolint:gosec // our own
	p.UPlot, p.Page = template.JS(uplotJS), template.JS(pageJS) //nolint:gosec // our own
	p.License = uplotLicense
	b := bufio.NewWriter(w)
	if err := t.Execute(b, p); err != nil {
		return err
	}
	return b.Flush()
}
