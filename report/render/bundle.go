package render

import (
	"fmt"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// indexRow is one report of a bundle in the table at the top. A figure that is not known is a dash.
type indexRow struct {
	Name string
	// Run reports whether there is a report. If not, Advice says why.
	Run                                                      bool
	UnservedToday, Unserved, HoursToday, Hours, Cost, Advice string
}

// index returns one row for each report.
func index(b *report.Bundle) []indexRow {
	out := make([]indexRow, len(b.Reports))
	for i, one := range b.Reports {
		row := indexRow{
			Name: one.Name, Advice: one.NotRun,
			UnservedToday: "–", Unserved: "–", HoursToday: "–", Hours: "–", Cost: "–",
		}
		if one.Report != nil {
			row.fill(one.Report)
		}
		out[i] = row
	}
	return out
}

func (row *indexRow) fill(r *report.Report) {
	row.Run = true
	if head, ok := r.Result(report.PolicyHeadstart); ok && head.Figures != nil {
		row.Unserved, row.Hours = format.Share(head.Unserved), format.Whole(head.ReplicaHours)
		row.Advice = "no policy of today was run to compare with"
	}
	if r.Gain != nil {
		today, _ := r.Result(r.Today)
		row.UnservedToday, row.HoursToday = format.Share(today.Unserved), format.Whole(today.ReplicaHours)
		row.Cost = fmt.Sprintf("%+.0f %%", 100*(0-r.Gain.Share)) // 0 - x, since -x of 0 is written as -0
		row.Advice = r.Advice
	}
}

// summary says in two sentences what Headstart would change for all Forecasts of the bundle.
func summary(b *report.Bundle) string {
	var hours, hoursToday float64
	compared, worthwhile := 0, 0
	for _, one := range b.Reports {
		if one.Report == nil || one.Report.Gain == nil {
			continue
		}
		compared++
		head, _ := one.Report.Result(report.PolicyHeadstart)
		today, _ := one.Report.Result(one.Report.Today)
		hours += head.ReplicaHours
		hoursToday += today.ReplicaHours
		if one.Report.Gain.Worthwhile() {
			worthwhile++
		}
	}
	if compared == 0 {
		return "No Forecast could be compared with the policy of today."
	}
	return fmt.Sprintf("Headstart would have been worth switching on for %d of %d Forecasts. "+
		"The %d that were compared would have used %s replica-hours instead of %s (%s).",
		worthwhile, len(b.Reports), compared, format.Whole(hours), format.Whole(hoursToday), format.Change(hours, hoursToday))
}
