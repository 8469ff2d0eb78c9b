package report

import (
	"fmt"
	"time"

	"headstart.dev/headstart/report/internal/format"
)

// doubts returns the reasons why a forecast may not help.
func (r *Report) doubts(today Figures) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	history := r.Input.From.Sub(r.Input.Start)
	switch {
	case history < 2*24*time.Hour:
		add("the replay began with only %s of history: it takes two days to find a daily pattern, "+
			"and two weeks to find a weekly one", format.Duration(history))
	case r.Model != nil && len(r.Model.PeriodSeconds) == 0:
		add("no daily or weekly pattern was found, so demand can hardly be forecast before it is there")
	}
	if r.Model != nil && r.Model.SkilledShare < 0.5 {
		add("the forecast was better than simple rules at only %s of the steps; at the others observed demand was served",
			format.Share(r.Model.SkilledShare))
	}
	if r.Input.LeadSeconds <= 2*hpaSync.Seconds() && today.Unserved < 0.01 {
		add("a replica is ready %s after it is requested, about as fast as an HPA reacts: a reactive HPA is fast enough",
			format.Seconds(r.Input.LeadSeconds))
	}
	if gaps := ratio(float64(r.Input.Gaps), float64(r.Input.Scored)); gaps > 0.5 {
		add("%s of the replayed steps have no value: the figures are about the other steps", format.Share(gaps))
	}
	return out
}
