package render

import (
	"cmp"
	"fmt"
	"slices"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
	"headstart.dev/headstart/report/verdict"
)

// indexRow is one report of a bundle in the table at the top. A figure that is not known is a dash.
type indexRow struct {
	// ID is the report's place in the bundle.
	ID   int
	Name string
	// Run reports whether there is a report. If not, Advice says why. Brief reports whether it has
	// only figures, so that there is nothing to open.
	Run, Brief                                               bool
	UnservedToday, Unserved, HoursToday, Hours, Cost, Advice string

	saved float64 // replica-hours at the service of today
}

// index returns one row for each report, those that would save most first.
func index(b *report.Bundle) []indexRow {
	out := make([]indexRow, len(b.Reports))
	for i, one := range b.Reports {
		row := indexRow{
			ID: i, Name: one.Name, Advice: one.NotRun,
			UnservedToday: "–", Unserved: "–", HoursToday: "–", Hours: "–", Cost: "–",
		}
		if one.Report != nil {
			row.fill(one.Report)
		}
		out[i] = row
	}
	slices.SortStableFunc(out, func(a, b indexRow) int { return cmp.Compare(b.saved, a.saved) })
	return out
}

func (row *indexRow) fill(r *report.Report) {
	row.Run, row.Brief = true, r.Brief
	if head, ok := r.Result(report.PolicyHeadstart); ok && head.Figures != nil {
		row.Unserved, row.Hours = format.Share(head.Unserved), r.Paid(head.ReplicaHours)
		row.Advice = "no policy of today was run to compare with"
	}
	if today := r.Baseline; today != nil {
		row.UnservedToday, row.HoursToday = format.Share(today.Unserved), r.Paid(today.ReplicaHours)
		row.Cost, row.Advice = atService(*today.Figures), r.Verdict
		if today.HeadstartHours != nil {
			row.Unserved, row.Hours = row.UnservedToday, r.Paid(*today.HeadstartHours)
		}
	}
	row.saved = r.Saved()
}

// briefly says that some services have no details here. It is "" if all have.
func briefly(b *report.Bundle) string {
	detailed, brief := 0, 0
	for _, one := range b.Reports {
		switch {
		case one.Report == nil:
		case one.Report.Brief:
			brief++
		default:
			detailed++
		}
	}
	if brief == 0 {
		return ""
	}
	return fmt.Sprintf("Details follow of the %d services that would save most. For those of another one, "+
		"replay it alone.", detailed)
}

// savings is what the services of a bundle would pay at the service of today, in their unit.
type savings struct{ today, headstart float64 }

func (s *savings) add(r *report.Report) {
	per := 1.0
	if g := r.Input.GPUsPerReplica; g > 0 {
		per = g
	}
	s.today += per * r.Baseline.ReplicaHours
	s.headstart += per * *r.Baseline.HeadstartHours
}

// unit names what the services of a bundle pay. They all do in the same unit.
func unit(b *report.Bundle) string {
	for _, one := range b.Reports {
		if one.Report != nil {
			return one.Report.Unit()
		}
	}
	return "replica-hours"
}

// summary says what Headstart would change for all services of the bundle. What it saves lies
// between the services to switch on and those to try as well.
func summary(b *report.Bundle) string {
	var on, tried savings
	compared, switchOn, try := 0, 0, 0
	for _, one := range b.Reports {
		if one.Report == nil || one.Report.Baseline == nil {
			continue
		}
		compared++
		r := one.Report
		if r.Baseline.HeadstartHours == nil {
			continue
		}
		switch r.Decision.Advice {
		case verdict.SwitchOn:
			switchOn++
			on.add(r)
			tried.add(r)
		case verdict.TryDryRun:
			try++
			tried.add(r)
		}
	}
	if compared == 0 {
		return "No service could be compared with the policy of today."
	}
	text := fmt.Sprintf("Of %d services, switch Headstart on for %d, and try it in DryRun for %d more.", len(b.Reports),
		switchOn, try)
	if switchOn+try == 0 {
		return text
	}
	return text + fmt.Sprintf(" At the service of today, they would save at least %s and at most %s %s of %s.",
		format.Whole(on.today-on.headstart), format.Whole(max(on.today-on.headstart, tried.today-tried.headstart)),
		unit(b), format.Whole(tried.today))
}
