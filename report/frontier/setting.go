package frontier

import (
	"cmp"
	"fmt"

	"headstart.dev/headstart/report/internal/format"
)

// Setting names the setting that pays so many replica-hours, or the settings of the two points that
// they lie between: the cheaper one serves less, and the dearer one serves more.
func (l Line) Setting(hours float64) string {
	a, b := l.Around(hours)
	low, high := cmp.Or(a.Headroom, 1), cmp.Or(b.Headroom, 1)
	switch {
	case a == b:
		return a.setting()
	case a.Contract == "":
		return fmt.Sprintf("a headroom between %.2f and %.2f", a.Knob, b.Knob)
	case a.Contract == b.Contract:
		return fmt.Sprintf("%s and a headroom between %.2f and %.2f", a.Contract, low, high)
	case low == 1 && high == 1:
		return fmt.Sprintf("a %s between %s and %s", a.knobName(), format.Plain(a.Knob), format.Plain(b.Knob))
	}
	return "a setting between " + a.setting() + " and " + b.setting()
}

// setting names the setting of a point.
func (p Point) setting() string {
	switch {
	case p.Contract == "":
		return fmt.Sprintf("headroom %.2f", p.Knob)
	case p.Headroom == 0:
		return p.Contract
	}
	return fmt.Sprintf("%s with headroom %.2f", p.Contract, p.Headroom)
}

// knobName names what a setting of Headstart is.
func (p Point) knobName() string {
	if p.ShortageCost > 0 {
		return "shortage cost"
	}
	return "service level"
}
