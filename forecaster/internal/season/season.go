// Package season finds the periods with which a demand series repeats.
package season

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// Periods are the seasons of a series, in steps; zero stands for none.
type Periods struct {
	Day  int // the season that lags and profiles are built on: a calendar day, or what takes its place
	Week int // the longer season above it
	Sub  int // a shorter one that was found within it
}

// Find returns the periods of demand in steps of the given length, NaN where it is a gap. Given
// periods are used as they are. Otherwise:
//
//   - The calendar's day and week are used as soon as the history holds one and a half days, and
//     nine days.
//   - A period that repeats clearly better than the day takes the day's place.
//   - While there is no day yet, any period that the history has seen at least twice is used.
func Find(step time.Duration, given []time.Duration, raw []float64) Periods {
	n := len(raw)
	if len(given) > 0 {
		return fromGiven(step, given)
	}
	p := fromCalendar(step, n)
	if n < minSteps {
		return p
	}
	found, strength, atDay := detect(raw, p.Day)
	switch {
	case found == 0:
	case p.Day == 0:
		p.Day = found
		if n > 7*found*5/4 {
			p.Week = 7 * found
		}
	case float64(found) > 0.9*float64(p.Day):
	case strength > atDay+0.1:
		p = Periods{Day: found, Week: p.Day}
	case strength > 0.95*atDay && strength > 0.5:
		p.Sub = found
	}
	return p
}

// minSteps is the shortest history that is searched for a period.
const minSteps = 32

// fromCalendar returns the day and the week of a history of n steps that holds enough of them.
func fromCalendar(step time.Duration, n int) Periods {
	var p Periods
	day := 0
	if d := 24 * time.Hour; d%step == 0 || d/step >= 20 {
		day = int(d / step)
	}
	if day >= 2 && n >= day*3/2 {
		p.Day = day
		if n > 7*day*5/4 {
			p.Week = 7 * day
		}
	}
	return p
}

// fromGiven returns given periods, rounded to steps.
func fromGiven(step time.Duration, given []time.Duration) Periods {
	var steps []int
	for _, p := range given {
		steps = append(steps, int((p+step/2)/step))
	}
	slices.Sort(steps)
	steps = slices.Compact(steps)
	switch len(steps) {
	case 1:
		return Periods{Day: steps[0]}
	case 2:
		return Periods{Day: steps[0], Week: steps[1]}
	}
	return Periods{Sub: steps[0], Day: steps[len(steps)-2], Week: steps[len(steps)-1]}
}

// flatten prepares demand for autocorrelation. It averages blocks of steps on the log scale, takes
// a linear trend off and bounds what is left, so that neither growth nor an outage nor a spike
// passes for a season. Gaps become the mean.
func flatten(raw []float64, block int) []float64 {
	offset := demand.LogOffset*stats.MeanKnown(raw) + 1e-300
	z := make([]float64, 0, len(raw)/block+1)
	for i := 0; i+block <= len(raw); i += block {
		if m := stats.MeanKnownOr(raw[i:i+block], math.NaN()); math.IsNaN(m) {
			z = append(z, math.NaN())
		} else {
			z = append(z, math.Log(m+offset))
		}
	}
	mean, slope := trend(z)
	known := make([]float64, 0, len(z))
	for i := range z {
		z[i] -= mean + slope*float64(i)
		if !math.IsNaN(z[i]) {
			known = append(known, math.Abs(z[i]))
		}
	}
	slices.Sort(known)
	bound := 3 * stats.Quantile(known, 0.5)
	for i, v := range z {
		if math.IsNaN(v) {
			v = 0
		}
		z[i] = stats.Clamp(v, -bound, bound)
	}
	return z
}

// trend fits a line to the values of z that are not gaps, by least squares.
func trend(z []float64) (intercept, slope float64) {
	var n, sx, sy, sxx, sxy float64
	for i, v := range z {
		if !math.IsNaN(v) {
			x := float64(i)
			n, sx, sy, sxx, sxy = n+1, sx+x, sy+v, sxx+x*x, sxy+x*v
		}
	}
	if d := n*sxx - sx*sx; d > 0 {
		slope = (n*sxy - sx*sy) / d
	}
	return (sy - slope*sx) / math.Max(n, 1), slope
}
