package render

import (
	"bufio"
	_ "embed" // the parts of the page
	"encoding/json"
	"html/template"
	"io"
	"slices"
	"strconv"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
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
	// Summary and Index are those of a bundle. They are empty for one report.
	Summary  string
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
	Rows    []comparedRow
	// HasWeeks, HasGPUs and HasMoney report whether the table has a column for it.
	HasWeeks, HasGPUs, HasMoney bool
	// Timeline is the data of the charts, as JSON.
	Timeline template.JS
}

// comparedRow is a row in the table of policies.
type comparedRow struct {
	report.Result
	Name string
	// F is the figures of the row, or nil if the policy was not run.
	F *report.Figures
	// Headstart reports whether the row is Headstart's, and Tuned whether it is a policy's with
	// headroom.
	Headstart, Tuned bool
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
	p := page{Title: d.bundle.Title, Index: index(d.bundle), Summary: summary(d.bundle)}
	for i, one := range d.bundle.Reports {
		if one.Report == nil {
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
	return section{
		Report:   r,
		History:  r.Input.From.Sub(r.Input.Start),
		Rows:     comparedRows(r.Policies),
		HasWeeks: anyResult(func(p report.Result) bool { return len(p.Weeks) > 1 }),
		HasGPUs:  anyResult(func(p report.Result) bool { return p.Figures != nil && p.GPUHours > 0 }),
		HasMoney: anyResult(func(p report.Result) bool { return p.Figures != nil && p.Money > 0 }),
		Timeline: template.JS(timeline), //nolint:gosec // our own data, escaped above
	}, err
}

func comparedRows(results []report.Result) []comparedRow {
	var out []comparedRow
	for _, r := range results {
		out = append(out, comparedRow{
			Result: r, Name: r.Policy, F: r.Figures, Headstart: r.Policy == report.PolicyHeadstart,
		})
		if r.Tuned != nil {
			out = append(out, comparedRow{Result: r, Name: headroomName(r), F: r.Tuned, Tuned: true})
		}
	}
	return out
}

func (p page) write(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"share": format.Share, "percent": format.Percent, "count": format.Count, "whole": format.Whole,
		"significant": format.Significant, "time": format.Time, "seconds": format.Seconds, "duration": format.Duration,
		"cost": cost, "contract": contract, "skill": skill, "calibration": calibration, "weeks": weekRange,
		"terms": terms,
	}).Parse(pageHTML)
	if err != nil {
		return err
	}
	p.CSS = template.CSS(uplotCSS + pageCSS)                    //nolint:gosec // our own
	p.UPlot, p.Page = template.JS(uplotJS), template.JS(pageJS) //nolint:gosec // our own
	p.License = uplotLicense
	b := bufio.NewWriter(w)
	if err := t.Execute(b, p); err != nil {
		return err
	}
	return b.Flush()
}
