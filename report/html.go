package report

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
func (r *Report) HTML(w io.Writer) error {
	one, err := r.section("", true)
	if err != nil {
		return err
	}
	return writePage(w, map[string]any{"Title": r.Input.Series, "Sections": []section{one}})
}

// section is one report on a page.
type section struct {
	ID, Name string
	Open     bool // of several
	Report   *Report
	Rows     []tableRow
	History  time.Duration
	Data     template.JS
	ByWeek   bool // whether costs are known week by week
}

func (r *Report) section(name string, open bool) (section, error) {
	data, err := json.Marshal(r.timeline()) // escapes <, > and &, so that no value can end the script
	byWeek := slices.ContainsFunc(r.Policies, func(p Result) bool { return len(p.Weeks) > 1 })
	return section{
		ByWeek: byWeek, Name: name, Open: open, Report: r, Rows: r.rows(), History: r.Input.From.Sub(r.Input.Start), Data: template.JS(data), //nolint:gosec // our own
	}, err
}

// writePage fills the page's parts in around what differs.
func writePage(w io.Writer, what map[string]any) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"share": share, "whole": whole, "seconds": seconds, "percent": percent, "stamp": stamp, "count": count,
		"cost": func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) },
		"trim": trim, "significant": significant, "span": span0, "weeks": weeksOf,
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
	Result
	Name  string
	F     *Figures
	Best  bool
	Tuned bool
}

func (r *Report) rows() []tableRow {
	var out []tableRow
	for _, p := range r.Policies {
		out = append(out, tableRow{Result: p, Name: p.Policy, F: p.Figures, Best: p.Policy == PolicyHeadstart})
		if p.Tuned != nil {
			out = append(out, tableRow{Result: p, Name: "head-room × " + strconv.FormatFloat(p.Headroom, 'f', 2, 64), F: p.Tuned, Tuned: true})
		}
	}
	return out
}

// weeksOf says how far a cost varies from week to week.
func weeksOf(r Result) string {
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

func (r *Report) timeline() timeline {
	t := r.trace
	out := timeline{Start: t.start.Unix(), Step: t.step.Seconds(), From: t.from, Capacity: t.capacity, Zone: "UTC", Demand: t.raw}
	if r.options.Location != nil {
		out.Zone = r.options.Location.String()
	}
	if r.replay != nil {
		out.Served, out.Expected = r.replay.Served, r.replay.Expected
	}
	for _, p := range r.Policies {
		if p.Figures != nil {
			out.Policies = append(out.Policies, timelineLine{Policy: p.Policy, Ready: runs(p.ready)})
		}
	}
	if first, _ := r.shown(); first != nil {
		out.Short = t.shortRuns(first)
	}
	out.Marks = r.marks()
	return out
}

// shortRuns are pairs of a step of the replay and how many are short from there on.
func (t *trace) shortRuns(p *Result) []int {
	var out []int
	last := -2
	for i, n := range p.ready {
		if !(t.raw[t.from+i]-n*t.capacity > shortBy) {
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

func (r *Report) marks() []mark {
	var out []mark
	begin, end := r.options.at(0), r.options.at(len(r.trace.raw))
	add := func(kind, name string, from, to time.Time) {
		if len(out) < maxMarks && to.After(begin) && from.Before(end) {
			out = append(out, mark{Kind: kind, Name: name, From: from.Unix(), To: to.Unix()})
		}
	}
	for _, s := range r.options.Peaks {
		occurrences, _ := s.Between(begin, end, maxMarks)
		for _, o := range occurrences {
			add("peak", o.Schedule+"/"+o.Window, o.Start, o.End)
		}
	}
	for _, d := range r.options.Days {
		add("day", d.Name, d.Start, d.End)
	}
	return out
}
