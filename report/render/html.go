package render

import (
	"bufio"
	"bytes"
	_ "embed" // the page's parts
	"encoding/json"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// uPlot 1.6.32, as npm has it (sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==), and
// its licence, which goes into each page.
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

// HTML writes the report as one page that needs no network: figures, charts to zoom into, and what to apply.
func (d single) HTML(w io.Writer) error {
	one, err := newSection(d.report, "", true)
	if err != nil {
		return err
	}
	return writePage(w, map[string]any{"Title": d.report.Input.Series, "Sections": []section{one}})
}

// section is one report on a page.
type section struct {
	ID, Name string
	Open     bool // of several
	Report   *report.Report
	Rows     []tableRow
	History  time.Duration
	Data     template.JS
	ByWeek   bool // whether costs are known week by week
	HasGPUs  bool // whether GPU-hours are known
	HasMoney bool // whether a price is known
}

func newSection(r *report.Report, name string, open bool) (section, error) {
	data, err := json.Marshal(newTimeline(r)) // escapes <, > and &, so that no value can end the script
	any := func(holds func(p report.Result) bool) bool { return slices.ContainsFunc(r.Policies, holds) }
	return section{
		ByWeek:   any(func(p report.Result) bool { return len(p.Weeks) > 1 }),
		HasGPUs:  any(func(p report.Result) bool { return p.Figures != nil && p.GPUHours > 0 }),
		HasMoney: any(func(p report.Result) bool { return p.Figures != nil && p.Money > 0 }),
		Name:     name, Open: open, Report: r, Rows: tableRows(r.Policies), History: r.Input.From.Sub(r.Input.Start), Data: template.JS(data), //nolint:gosec // our own
	}, err
}

// writePage fills the page's parts in around what differs.
func writePage(w io.Writer, what map[string]any) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"share": format.Share, "whole": format.Whole, "seconds": format.Seconds, "percent": format.Percent, "stamp": format.Time, "count": format.Count,
		"cost": func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) },
		"trim": format.Plain, "significant": format.Significant, "span": format.Duration, "weeks": weeksOf,
	}).Parse(pageHTML)
	if err != nil {
		return err
	}
	what["CSS"], what["UPlot"], what["Page"] = template.CSS(uplotCSS+pageCSS), template.JS(uplotJS), template.JS(pageJS) //nolint:gosec // our own
	what["License"] = uplotLicense
	b := bufio.NewWriter(w)
	if err := page.Execute(b, what); err != nil {
		return err
	}
	return b.Flush()
}

// tableRow is one line of the page's table of policies.
type tableRow struct {
	report.Result
	Name  string
	F     *report.Figures
	Best  bool
	Tuned bool
}

func tableRows(policies []report.Result) []tableRow {
	var out []tableRow
	for _, p := range policies {
		out = append(out, tableRow{Result: p, Name: p.Policy, F: p.Figures, Best: p.Policy == report.PolicyHeadstart})
		if p.Tuned != nil {
			out = append(out, tableRow{Result: p, Name: "head-room × " + strconv.FormatFloat(p.Headroom, 'f', 2, 64), F: p.Tuned, Tuned: true})
		}
	}
	return out
}

// weeksOf says how far a cost varies from week to week.
func weeksOf(r report.Result) string {
	if len(r.Weeks) < 2 {
		return ""
	}
	text := strconv.FormatFloat(slices.Min(r.Weeks), 'f', 2, 64) + " to " + strconv.FormatFloat(slices.Max(r.Weeks), 'f', 2, 64)
	if r.WeeksHalfWidth > 0 {
		text += ", mean ± " + strconv.FormatFloat(r.WeeksHalfWidth, 'f', 2, 64)
	}
	return text
}

// timeline is what the page draws. Numbers have five significant digits.
type timeline struct {
	Start    int64          `json:"start"` // Unix seconds
	Step     float64        `json:"step"`  // seconds
	From     int            `json:"from"`
	Capacity float64        `json:"capacity"`
	Zone     string         `json:"zone"`
	Demand   numbers        `json:"demand"`             // from Start on
	Served   numbers        `json:"served,omitempty"`   // from From on, as all below
	Expected numbers        `json:"expected,omitempty"` // what the models expect of each step
	Policies []timelineLine `json:"policies"`
	Short    []int          `json:"short,omitempty"` // of the first policy shown: pairs of a step and how many are short from there on
	Marks    []mark         `json:"marks,omitempty"`
}

// timelineLine is a policy's replicas that serve, as pairs of a number and how many steps it lasts.
type timelineLine struct {
	Policy string `json:"policy"`
	Ready  []int  `json:"ready"`
}

// mark is a peak or a named day.
type mark struct {
	Kind string `json:"kind"` // peak or day
	Name string `json:"name"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
}

// numbers are written short; NaN is null.
type numbers []float64

// MarshalJSON writes five significant digits.
func (n numbers) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, v := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			b.WriteString("null")
		} else {
			b.WriteString(strconv.FormatFloat(v, 'g', 5, 64))
		}
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}

func newTimeline(r *report.Report) timeline {
	s := r.Steps
	out := timeline{
		Start: s.Start.Unix(), Step: s.Step.Seconds(), From: s.From, Capacity: s.Capacity, Zone: s.Location.String(), Demand: s.Demand,
		Served: s.Served, Expected: s.Expected, Marks: marks(s),
	}
	for _, p := range r.Policies {
		if p.Figures != nil {
			out.Policies = append(out.Policies, timelineLine{Policy: p.Policy, Ready: runs(p.Ready)})
		}
	}
	if first, _ := shown(r); first != nil {
		out.Short = shortRuns(s.Missing(*first))
	}
	return out
}

// shortRuns are pairs of a step of the replay and how many are short from there on.
func shortRuns(missing []float64) []int {
	var out []int
	last := -2
	for i, v := range missing {
		if !(v > 0) {
			continue
		}
		if i == last+1 {
			out[len(out)-1]++
		} else {
			out = append(out, i, 1)
		}
		last = i
	}
	return out
}

// runs of equal numbers: number, length, number, length, and so on.
func runs(x []float64) []int {
	var out []int
	for i, v := range x {
		if i > 0 && v == x[i-1] {
			out[len(out)-1]++
			continue
		}
		out = append(out, int(v), 1)
	}
	return out
}

// maxMarks keeps a schedule of every few minutes from filling the page.
const maxMarks = 500

func marks(s report.Steps) []mark {
	var out []mark
	begin, end := s.Start, s.End()
	add := func(kind, name string, from, to time.Time) {
		if len(out) < maxMarks && to.After(begin) && from.Before(end) {
			out = append(out, mark{Kind: kind, Name: name, From: from.Unix(), To: to.Unix()})
		}
	}
	for _, peaks := range s.Peaks {
		occurrences, _ := peaks.Between(begin, end, maxMarks)
		for _, o := range occurrences {
			add("peak", o.Schedule+"/"+o.Window, o.Start, o.End)
		}
	}
	for _, d := range s.Days {
		add("day", d.Name, d.Start, d.End)
	}
	return out
}
