package render

import (
	"fmt"
	"slices"
	"strings"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// This file holds the phrases that the text and the page share.

// contract names what the served demand must meet.
func contract(in report.Input) string {
	if in.ServiceLevel > 0 {
		return "service level " + format.Plain(in.ServiceLevel)
	}
	return "shortage cost " + format.Plain(in.ShortageCost)
}

// term is a word of the table of policies and its meaning.
type term struct{ Word, Meaning string }

// terms explains the columns of the table of policies.
func terms(r *report.Report) []term {
	out := []term{
		{"unserved", "share of the demand that was not served"},
		{"short", "share of the steps with unserved demand"},
		{"longest", "longest run of short steps"},
		{"used", "demand as a share of the paid capacity"},
		{"scalings", "how often the number of paid replicas changed"},
		{"cost", fmt.Sprintf("the weighed cost: replica-hours plus %s times the unserved demand in replica-hours, "+
			"divided by the same of the oracle", format.Plain(r.Input.ShortageCost))},
	}
	if r.Baseline != nil {
		out = append(out, term{
			"same service", "how many more or fewer replica-hours Headstart needs to leave as little unserved as this policy",
		})
	}
	if slices.ContainsFunc(r.Policies, func(p report.Result) bool { return p.Tuned != nil }) {
		const meaning = "the policy with the headroom that did best on the last third of its history: a factor on its demand"
		out = append(out, term{"× 1.20", meaning})
	}
	return out
}

// skill describes the forecast at the end of the replay.
func skill(m report.Model) string {
	periods := "none found"
	if len(m.PeriodSeconds) > 0 {
		var parts []string
		for _, s := range m.PeriodSeconds {
			parts = append(parts, format.Seconds(s))
		}
		periods = strings.Join(parts, ", ")
	}
	return fmt.Sprintf("served at %s of the steps; skill %.2f: how much smaller its loss is than that of the better "+
		"simple rule, on history it had not seen (1 is perfect, below 0 it is not served); periods: %s",
		format.Share(m.SkilledShare), m.Skill, periods)
}

// calibration compares the service that the plan gave with the contract.
func calibration(in report.Input, m report.Model) string {
	target := fmt.Sprintf("at most 1 step in %s short", format.Plain(in.ShortageCost))
	if in.ServiceLevel > 0 {
		target = fmt.Sprintf("%s of lead windows covered", format.Share(in.ServiceLevel))
	}
	return fmt.Sprintf("target: %s; result: %s of lead windows and %s of steps covered",
		target, format.Share(m.WindowsCovered), format.Share(m.StepsCovered))
}

// spending says what the plans asked for, over a reactive policy.
func spending(s report.Spend) string {
	text := fmt.Sprintf("the plans of a week asked for at most %.2f times the replica-hours of a reactive policy (bound "+
		"%s), and were lowered at %s of the steps", s.LargestWeek, format.Plain(s.AtMost), format.Share(s.Lowered))
	if s.Lowered > 0 {
		text += fmt.Sprintf("; in the last week the whole service level asks for %.2f times", s.Unbounded)
	}
	if s.Lowered > 0 && s.Reachable != nil {
		text += fmt.Sprintf("; as lowered at the end, the plan covers %s of lead windows", format.Share(*s.Reachable))
	}
	return text
}

// todayName names the policy that Headstart is compared with.
func todayName(r *report.Report) string {
	if r.Baseline != nil {
		return r.Baseline.Name()
	}
	return r.Today
}

// baselineNote says what stands for today, in words for a reader who does not know the policy.
func baselineNote(r *report.Report) string {
	b := r.Baseline
	if !b.Tuned {
		return fmt.Sprintf("Today: %s. %s.", b.Name(), sentenceCase(b.Why))
	}
	p, _ := r.Result(b.Policy)
	return fmt.Sprintf("Today: %s (%s), the policy and the headroom that did best on the history before %s.",
		b.Name(), p.Label, format.Time(r.Input.From))
}

// atService says by how much Headstart needs more or fewer replica-hours at the service of a row.
func atService(f report.Figures) string {
	more, ok := f.More()
	if !ok {
		return "not reached"
	}
	return format.ByPercent(more)
}

// servedShares are the shares of the demand for which the report says what each policy pays: some
// that are usual, and the objective.
func servedShares(r *report.Report) []float64 {
	shares := []float64{0.95, 0.99, 0.999, 0.9999}
	if o := r.Objective; o != nil && !slices.Contains(shares, o.Served) {
		shares = append(shares, o.Served)
		slices.Sort(shares)
	}
	return shares
}

// servedRows returns a table of what each policy pays to serve some shares of the demand.
func servedRows(r *report.Report) [][]string {
	head := []string{"policy"}
	for _, share := range servedShares(r) {
		head = append(head, format.Significant(100*share)+" %")
	}
	rows := [][]string{head}
	for _, p := range r.Policies {
		if len(p.Frontier) == 0 {
			continue
		}
		row := []string{p.Policy}
		for _, share := range servedShares(r) {
			cell := "–"
			if hours, ok := p.Frontier.HoursAt(1 - share); ok {
				cell = r.Paid(hours)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	if len(rows) == 1 {
		return nil
	}
	return rows
}

// sentence makes a clause a sentence.
func sentence(clause string) string { return sentenceCase(clause) + "." }

// sentenceCase begins a text with a capital letter.
func sentenceCase(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// weekRange says how much a policy's cost varies from week to week. It is "" for fewer than two
// weeks.
func weekRange(r report.Result) string {
	if len(r.Weeks) < 2 {
		return ""
	}
	text := fmt.Sprintf("%.2f to %.2f", slices.Min(r.Weeks), slices.Max(r.Weeks))
	if r.WeeksHalfWidth > 0 {
		text += fmt.Sprintf(" (mean ± %.2f, 95 %% confidence)", r.WeeksHalfWidth)
	}
	return text
}

// cost writes a cost relative to the oracle's.
func cost(v float64) string { return fmt.Sprintf("%.3f", v) }
