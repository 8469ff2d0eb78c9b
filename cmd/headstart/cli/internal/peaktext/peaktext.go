// Package peaktext writes what the windows of PeakSchedules declare: in words, as a table, a chart
// or JSON.
package peaktext

import (
	"fmt"
	"strconv"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// Demand says what a window declares, such as "at least 1200".
func Demand(d scheduler.Demand) string {
	neutral := scheduler.Neutral()
	switch {
	case d.Multiply != neutral.Multiply:
		return "× " + number(d.Multiply)
	case d.Add != 0:
		return "+ " + number(d.Add)
	case d.Replicas != 0:
		return fmt.Sprintf("at least %s replicas", number(d.Replicas))
	case d.AtMost != neutral.AtMost:
		return "at most " + number(d.AtMost)
	default:
		return "at least " + number(d.AtLeast)
	}
}

// Ramps says how an occurrence rises and falls, after a comma; "" if it does neither.
func Ramps(o scheduler.Occurrence) string {
	text := ""
	if o.RampUp > 0 {
		text += ", ramp-up " + string(v1alpha1.FormatDuration(o.RampUp)) + " before"
	}
	if o.RampDown > 0 {
		text += ", ramp-down " + string(v1alpha1.FormatDuration(o.RampDown)) + " after"
	}
	return text
}

// digits are the significant digits of a number.
const digits = 10

func number(v float64) string { return strconv.FormatFloat(v, 'g', digits, 64) }
