package forecaster

import (
	"fmt"
	"strings"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
)

// Absurd returns the steps of a series whose values are not to be believed: single samples that are
// orders of magnitude above all others, as after the reset of a counter or a mistaken unit. Demand
// that stays there is believed.
func Absurd(step time.Duration, values []float64) []int {
	_, absurd := demand.Screened(step, values)
	return absurd
}

// maxNamed is how many absurd samples a warning names.
const maxNamed = 3

// warnAbsurd describes absurd samples of a history that begins at start.
func warnAbsurd(start time.Time, step time.Duration, raw []float64, absurd []int) string {
	var named []string
	for _, i := range absurd[:min(len(absurd), maxNamed)] {
		named = append(named, fmt.Sprintf("%.4g at %s", raw[i], demand.After(start, step, i).UTC().Format(time.RFC3339)))
	}
	if len(absurd) > maxNamed {
		named = append(named, "…")
	}
	return fmt.Sprintf("%d samples are far above all others and count as gaps: %s.", len(absurd), strings.Join(named,
		", "))
}
