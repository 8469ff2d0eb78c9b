package closedloop

import (
	"math"
	"time"
)

// A Policy returns the demand to provision for at each step of [a, b), from the steps before it.
type Policy func(t *Trace, a, b int) []float64

// Reactive provisions for the last step.
func Reactive(t *Trace, a, b int) []float64 { return t.Filled[a-1 : b-1] }

// Yesterday provisions for yesterday's lead window, scaled by the last hour against yesterday's
// last hour.
func Yesterday(t *Trace, a, b int) []float64 {
	day := t.Day()
	hour := max(1, day/24)
	sum := func(from, to int) float64 {
		s := 0.0
		for _, v := range t.Filled[max(0, from):max(0, to)] {
			s += v
		}
		return s
	}
	out := make([]float64, 0, b-a)
	for k := a; k < b; k++ {
		largest := 0.0
		for _, v := range t.Filled[k-day : min(len(t.Filled), k-day+t.Lead+1)] {
			largest = math.Max(largest, v)
		}
		scale := sum(k-hour, k) / math.Max(sum(k-day-hour, k-day), 1e-9)
		out = append(out, largest*math.Max(0.2, math.Min(5, scale)))
	}
	return out
}

// Day returns how many steps a day has.
func (t *Trace) Day() int { return int(24 * time.Hour / t.Step) }

// Headroom returns the factor on a policy's demand that scored best on the last third of the
// history.
func (t *Trace) Headroom(p Policy) float64 {
	a := t.Warm * 2 / 3
	if a < 2*t.Day() {
		return 1
	}
	past := &Trace{
		Step: t.Step, Lead: t.Lead, Warm: a, Wait: t.Wait, Raw: t.Raw[:t.Warm], Filled: t.Filled[:t.Warm],
		Capacity: t.Capacity,
	}
	demand := p(t, a, t.Warm)
	best, factor := math.Inf(1), 1.0
	for i := range 40 {
		f := 0.5 * math.Pow(6, float64(i)/39)
		if j := past.Score(past.Decisions(demand, f)).J; j < best {
			best, factor = j, f
		}
	}
	return factor
}

// Decisions turns demand times a factor into replicas.
func (t *Trace) Decisions(demand []float64, factor float64) []float64 {
	out := make([]float64, len(demand))
	for i, v := range demand {
		out[i] = t.Replicas(factor * v)
	}
	return out
}
