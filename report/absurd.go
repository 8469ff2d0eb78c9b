package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"headstart.dev/headstart/forecaster"
)

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
