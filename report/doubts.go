package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/internal/format"
)

// doubts returns the reasons why a forecast may not help.
func (r *Report) doubts(today Figures) []string {
	out := slices.Clone(r.options.Doubts)
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	const twoDays = 48 * time.Hour
	history := r.Input.From.Sub(r.Input.Start)
	known := history
	if t := r.trace; t != nil {
		known = time.Duration(t.known(0, t.from)) * t.step
	}
	switch {
	case history >= twoDays && known < twoDays:
		add("only %s of the history have a value: it takes two days to find a daily pattern, and two weeks to find a "+
			"weekly one", format.Duration(known))
	case history < twoDays:
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

// maxNamedRows is how many rows a note names.
const maxNamedRows = 5

// leaveOutAbsurd makes gaps of the samples that are not to be believed, and returns a note about
// them. Otherwise one of them would decide on the figures of every policy: nobody serves the reset
// of a counter.
func (o *Options) leaveOutAbsurd() []string {
	absurd := forecaster.Absurd(o.Series.Step, o.Series.Values)
	if len(absurd) == 0 {
		return nil
	}
	name := o.Row
	if name == nil {
		name = o.stamp
	}
	values := slices.Clone(o.Series.Values)
	var rows []string
	for _, i := range absurd {
		if len(rows) < maxNamedRows {
			rows = append(rows, fmt.Sprintf("%s (%.4g)", name(i), values[i]))
		}
		values[i] = math.NaN()
	}
	if len(absurd) > maxNamedRows {
		rows = append(rows, "…")
	}
	o.Series.Values = values
	what, count := "row is", "it counts as a gap"
	if len(absurd) > 1 {
		what, count = "rows are", "they count as gaps"
	}
	return []string{fmt.Sprintf("%d %s far above all others, as after a counter reset or a mistaken unit, and %s: %s. "+
		"Check the query or the file", len(absurd), what, count, strings.Join(rows, ", "))}
}
