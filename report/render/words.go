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
		{"cost", fmt.Sprintf("replica-hours plus %s times the unserved demand in replica-hours, "+
			"divided by the same of the oracle", format.Plain(r.Input.ShortageCost))},
	}
	if slices.ContainsFunc(r.Policies, func(p report.Result) bool { return p.Tuned != nil }) {
		const meaning = "the factor on the policy's demand that cost least on the last third of the history"
		out = append(out, term{"headroom", meaning})
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
	return fmt.Sprintf("skill %.2f (a forecast with a skill below 0 is not served); served at %s of the steps; "+
		"periods: %s", m.Skill, format.Share(m.SkilledShare), periods)
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

// headroomName names a policy's row with its best headroom.
func headroomName(r report.Result) string { return fmt.Sprintf("headroom × %.2f", r.Headroom) }

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
