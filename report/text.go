package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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
func (r *Report) Text(w io.Writer, o TextOptions) error {
	p := &printer{w: w, colour: o.Colour}
	r.writeHead(p)
	r.writeVerdict(p)
	r.writeChanges(p)
	if !o.NoChart {
		r.writeChart(p, o.Day)
	}
	r.writeTable(p)
	r.writeModel(p)
	r.writeSweep(p)
	for _, n := range r.Notes {
		p.wrap("note: ", n)
	}
	r.writeProposal(p)
	return p.err
}

// printer writes lines and remembers the first error.
type printer struct {
	w      io.Writer
	colour bool
	err    error
}

func (p *printer) line(format string, args ...any) {
	if p.err != nil {
		return
	}
	_, p.err = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

const columns = 100

// wrap writes words under a label, no line longer than the page.
func (p *printer) wrap(label, text string) {
	for _, line := range Wrap(label, text) {
		p.line("%s", line)
	}
}

// Wrap breaks words under a label into lines of at most 100 columns.
func Wrap(label, text string) []string {
	var out []string
	line, used := label, utf8.RuneCountInString(label)
	indent := strings.Repeat(" ", used)
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if i > 0 && used+1+n > columns {
			out = append(out, line)
			line, used = indent, utf8.RuneCountInString(indent)
		} else if i > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(out, line)
}

// bold stands out where there are colours.
func (p *printer) bold(text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[1m" + text + ansiReset
}

func (r *Report) writeHead(p *printer) {
	in := r.Input
	title := "Dry run"
	if in.Series != "" {
		title += " of " + in.Series
	}
	p.line("%s", title)
	step := seconds(in.StepSeconds)
	p.line("  %s to %s, %s a step; %s of it is history", stamp(in.Start), stamp(in.End), step, span0(in.From.Sub(in.Start)))
	gaps := ""
	if in.Gaps > 0 {
		gaps = fmt.Sprintf(", %s without a value", count(in.Gaps))
	}
	p.line("  replayed from %s: %s steps%s", stamp(in.From), count(in.Scored), gaps)
	contract := fmt.Sprintf("service level %s", trim(in.ServiceLevel))
	if in.ServiceLevel == 0 {
		contract = fmt.Sprintf("shortage cost %s", trim(in.ShortageCost))
	}
	p.line("  lead %s, %s per replica, %s", seconds(in.LeadSeconds), significant(in.Capacity), contract)
	if len(in.Peaks) > 0 {
		p.wrap("  peaks: ", strings.Join(in.Peaks, ", "))
	}
	p.line("")
}

func (r *Report) writeVerdict(p *printer) {
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

func (r *Report) writeChanges(p *printer) {
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

func (r *Report) writeSweep(p *printer) {
	if len(r.Sweep) == 0 {
		return
	}
	p.line("")
	p.line("What a faster start is worth")
	rows := [][]string{{"lead", "headstart: unserved", "replica-h", "cost", "reactive: unserved", "replica-h", "cost"}}
	for _, s := range r.Sweep {
		rows = append(rows, []string{
			seconds(s.LeadSeconds), share(s.Headstart.Unserved), whole(s.Headstart.ReplicaHours), fmt.Sprintf("%.3f", s.Headstart.CostOverOracle),
			share(s.Reactive.Unserved), whole(s.Reactive.ReplicaHours), fmt.Sprintf("%.3f", s.Reactive.CostOverOracle),
		})
	}
	p.table(rows)
}

func (r *Report) writeProposal(p *printer) {
	if r.Proposal == nil {
		return
	}
	p.line("")
	p.line("What to apply (query, target and names are yours to check)")
	p.line("")
	for line := range strings.Lines(r.Proposal.Forecast + "---\n" + r.Proposal.HPA) {
		p.line("    %s", strings.TrimSuffix(line, "\n"))
	}
}

func (r *Report) writeTable(p *printer) {
	rows := [][]string{{"policy", "unserved", "short", "longest", "replica-h", "used", "scalings", "cost"}}
	tuned := false
	for _, res := range r.Policies {
		if res.Figures == nil {
			rows = append(rows, []string{res.Policy, res.NotRun})
			continue
		}
		rows = append(rows, res.row(res.Policy, *res.Figures))
		if res.Tuned != nil {
			tuned = true
			rows = append(rows, res.row(fmt.Sprintf("  head-room × %.2f", res.Headroom), *res.Tuned))
		}
	}
	p.table(rows)
	p.line("")
	r.writeWeeks(p)
	p.wrap("", fmt.Sprintf("unserved: share of the demand; short: share of steps with any of it; longest: run of short steps; used: "+
		"demand over what was paid; cost: replica-hours and %s times the unserved ones, over the oracle's.", trim(r.Input.ShortageCost)))
	if tuned {
		p.wrap("", "head-room: the factor on the policy's demand that did best on the last third of the history.")
	}
	p.line("")
	for _, res := range r.Policies {
		p.wrap(fmt.Sprintf("%-19s", res.Policy), res.Label)
	}
	p.line("")
}

// writeWeeks says how much the costs vary from week to week, and how sure that makes their mean.
func (r *Report) writeWeeks(p *printer) {
	var parts []string
	for _, res := range r.Policies {
		if len(res.Weeks) > 1 && res.Policy != PolicyOracle {
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

func (res Result) row(name string, f Figures) []string {
	return []string{
		name, share(f.Unserved), share(f.Short), seconds(f.LongestShortfallSeconds), whole(f.ReplicaHours),
		percent(f.Utilisation), count(f.Scalings), fmt.Sprintf("%.3f", f.CostOverOracle),
	}
}

func (r *Report) writeModel(p *printer) {
	m := r.Model
	if m == nil {
		return
	}
	var periods []string
	for _, s := range m.PeriodSeconds {
		periods = append(periods, seconds(s))
	}
	if len(periods) == 0 {
		periods = []string{"none found"}
	}
	p.wrap("forecast: ", fmt.Sprintf("skill %.2f (below 0 it is not served), served at %s of the steps; periods: %s", m.Skill, share(m.SkilledShare), strings.Join(periods, ", ")))
	asked := fmt.Sprintf("1 step in %s may be short", trim(r.Input.ShortageCost))
	if r.Input.ServiceLevel > 0 {
		asked = fmt.Sprintf("%s of lead windows covered", share(r.Input.ServiceLevel))
	}
	p.wrap("calibration: ", fmt.Sprintf("asked for %s; reached %s of lead windows and %s of steps covered", asked, share(m.WindowsCovered), share(m.StepsCovered)))
	for _, w := range m.Warnings {
		p.wrap("forecast: ", w)
	}
}

// table writes rows in columns: the first to the left, the others to the right. A short row is a remark.
func (p *printer) table(rows [][]string) {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i >= len(width) {
				width = append(width, 0)
			}
			if len(row) > 2 || i == 0 {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", max(0, width[i]-utf8.RuneCountInString(cell)))
			switch {
			case i == 0:
				b.WriteString(cell + pad)
			case len(row) <= 2:
				b.WriteString("  " + cell)
			default:
				b.WriteString("  " + pad + cell)
			}
		}
		p.line("%s", b.String())
	}
}

// share writes a share as a percentage with the digits that matter.
func share(v float64) string {
	switch p := 100 * v; {
	case p == 0, p == 100:
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.01:
		return "< 0.01 %"
	case p < 10:
		return fmt.Sprintf("%.2f %%", p)
	case p >= 99.95 && p < 100:
		return fmt.Sprintf("%.2f %%", p)
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

// count writes a whole number with separators.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// trim writes a number without trailing zeros.
func trim(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// significant writes at most five significant digits.
func significant(v float64) string {
	return strconv.FormatFloat(mustFloat(strconv.FormatFloat(v, 'g', 5, 64)), 'f', -1, 64)
}

func mustFloat(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return v
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// seconds writes a span given in seconds.
func seconds(s float64) string { return span0(time.Duration(s * float64(time.Second))) }

// span0 writes a span in its two largest units: 10m, 1h30m, 14d.
func span0(d time.Duration) string {
	d = d.Round(time.Second)
	if d <= 0 {
		return "0"
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	var b strings.Builder
	parts := 0
	for _, u := range units {
		n := d / u.size
		d -= n * u.size
		if n == 0 && parts == 0 {
			continue
		}
		if n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
		}
		if parts++; parts == 2 {
			break
		}
	}
	return b.String()
}
