// Package past holds demand as the models see it.
package past

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/calendar"
	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A History is demand as the models see it: gaps are filled, logarithms taken, running sums and
// maxima at hand. It grows step by step. What it says about step i uses the steps before i only.
type History struct {
	calendar.Clock
	Lead       int     // steps
	day        int     // the season that gaps are filled from, in steps; 0 when there is none
	LevelSteps int     // steps that the level is averaged over
	Unit       float64 // mean demand; all demand below is in units of it
	LogOffset  float64 // added to demand before logarithms are taken
	Largest    float64 // largest demand so far
	Days       *calendar.Effects
	Zeros      bool    // whether zeros are demand; when they are not, a run of them is an outage
	noShifts   bool    // whether level shifts are not looked for, in an ablation
	zeroRun    int     // zeros up to the newest step
	gapRun     int     // filled steps up to the newest one
	gapRatio   float64 // demand before the gap, relative to a season earlier; 0 when that is unknown

	// What follows begins at step from: see the methods for its meaning. Earlier steps are derived
	// from past.
	from      int
	past      derived
	x         []float64
	sums      []float64
	windowMax []float64
	level     []float64
	observed  []bool

	outcomeSums [][3]outcomeSum // as the others, before each step
	outcomeKeep [3]float32
}

// Tiny is the share of mean demand below which demand counts as zero.
const Tiny = 1e-3

const (
	zeroShare = 0.02 // zeros that are rarer than this are outages

	// Demand is sparse when fewer of the steps than sparseShare have any. The log offset is then
	// this share of the demand of those that do.
	sparseShare, sparseOffset = 0.5, 0.25

	// maxUnits bounds demand, in units of its mean. maxLog bounds a logarithm of demand.
	maxUnits, maxLog = 1e12, 600
)

// Options say how a History reads demand.
type Options struct {
	Step     time.Duration
	Location *time.Location // whose wall clock days follow
	Lead     int            // steps
	Days     []calendar.Day // named days
	NoShifts bool           // whether level shifts are not looked for, in an ablation
}

// New returns the History of raw demand, which begins at start, with room for capacity steps.
func New(start time.Time, o Options, raw []float64, capacity int, p season.Periods) *History {
	unit := stats.MeanKnown(raw)
	h := &History{
		Clock: calendar.NewClock(start, o.Step, o.Location),
		Lead:  o.Lead, day: p.Day, LevelSteps: max(1, (o.Lead+2)/3),
		Unit: unit, LogOffset: demand.LogOffset,
		Days:     calendar.Learn(o.Days, start, o.Step, raw, p.Day),
		Zeros:    shareOf(raw, func(v float64) bool { return v <= Tiny*unit }) > zeroShare,
		noShifts: o.NoShifts,

		x: make([]float64, 0, capacity), sums: make([]float64, 1, capacity+1),
		windowMax: make([]float64, 0, capacity), level: make([]float64, 1, capacity+1),
		observed: make([]bool, 0, capacity),

		outcomeSums: make([][3]outcomeSum, 1, capacity+1), outcomeKeep: outcomeKeep(o.Step),
	}
	if unit <= 0 {
		h.Unit, h.Zeros = 1, true
	}
	if busy := shareOf(raw, func(v float64) bool { return v > Tiny*unit }); busy < sparseShare {
		h.LogOffset = sparseOffset / math.Max(busy, Tiny)
	}
	h.level[0] = math.Log(h.LogOffset)
	for _, v := range raw {
		h.Push(v)
	}
	return h
}

// shareOf returns the share of the known values for which f holds.
func shareOf(values []float64, f func(float64) bool) float64 {
	hits, n := 0.0, 0.0
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if n++; f(v) {
			hits++
		}
	}
	return hits / math.Max(n, 1)
}

// N returns the number of steps.
func (h *History) N() int { return h.from + len(h.x) }

// Windows returns the number of steps whose lead window is known.
func (h *History) Windows() int { return max(0, h.N()-h.Lead) }

// DemandAt returns demand at step i without the effects of named days.
func (h *History) DemandAt(i int) float64 {
	if i < h.from {
		return h.demandBefore(i)
	}
	return h.x[i-h.from]
}

// sumTo returns the sum of demand over the steps before step i.
func (h *History) sumTo(i int) float64 {
	if i < h.from {
		return h.sumBefore(i)
	}
	return h.sums[i-h.from]
}

// WindowMaxAt returns the log of the maximum over the lead window that begins at step i.
func (h *History) WindowMaxAt(i int) float64 {
	if i < h.from {
		return h.windowMaxBefore(i)
	}
	return h.windowMax[i-h.from]
}

// LevelAt returns the log of the mean over the levelSteps steps before step i.
func (h *History) LevelAt(i int) float64 {
	if i < h.from {
		return h.levelBefore(i)
	}
	return h.level[i-h.from]
}

// ObservedAt reports whether demand at step i was observed; otherwise it was filled.
func (h *History) ObservedAt(i int) bool {
	if i < h.from {
		_, filled := h.past.filled.At(i)
		return !filled
	}
	return h.observed[i-h.from]
}

// Log returns demand on the scale of the models.
func (h *History) Log(v float64) float64 { return math.Log(v + h.LogOffset) }

// Exp is the inverse of Log.
func (h *History) Exp(z float64) float64 { return max(0, math.Exp(min(z, maxLog))-h.LogOffset) }

// Mean returns the mean of the w steps before step i, or of as many as there are.
func (h *History) Mean(i, w int) float64 {
	j := max(0, i-w)
	if j >= i {
		return 0
	}
	return max(0, (h.sumTo(i)-h.sumTo(j))/float64(i-j))
}

// Push appends one step of demand in the user's unit; NaN is a gap.
func (h *History) Push(v float64) {
	n := h.N()
	v = h.normalise(v * math.Exp(-h.Days.At(n)))
	observed := !math.IsNaN(v)
	if observed && h.isOutage(v) {
		observed = false
	}
	if observed {
		h.gapRun = 0
	} else {
		v = h.fill(n)
	}
	h.x = append(h.x, v)
	h.Largest = math.Max(h.Largest, v)
	h.observed = append(h.observed, observed)
	h.sums = append(h.sums, h.sumTo(n)+v)
	n++
	h.level = append(h.level, h.Log(h.Mean(n, h.LevelSteps)))
	if n > h.Lead {
		h.windowMax = append(h.windowMax, h.Log(stats.Max(h.x[n-1-h.Lead-h.from:])))
	}
	h.addOutcome()
}

// normalise returns demand in units of its mean. It rounds, so that the same series in another unit
// gives the same numbers to the last bit: trees and whole replicas would amplify the smallest
// difference.
func (h *History) normalise(v float64) float64 {
	return min(maxUnits, math.Round(v/h.Unit*1e9)/1e9)
}

// isOutage reports whether v is a zero that no model may learn from: zeros are rare in the history,
// and this one has lasted for less than a day.
func (h *History) isOutage(v float64) bool {
	if h.Zeros || v > Tiny {
		h.zeroRun = 0
		return false
	}
	h.zeroRun++
	most := h.day
	if most == 0 {
		most = int(max(24*time.Hour/h.Step, 10))
	}
	return h.zeroRun < most
}

// fill returns an estimate of step n: the last known value at first, and after a lead window what
// the season makes of it.
func (h *History) fill(n int) float64 {
	if n == 0 {
		return 0
	}
	if h.gapRun == 0 {
		h.gapRatio = 0
		if j := n - h.day; h.day > 0 && j > 0 {
			h.gapRatio = stats.Clamp(math.Exp(h.LevelAt(n)-h.LevelAt(j)), 0.2, 5)
		}
	}
	h.gapRun++
	if j := h.Back(n, h.day); h.gapRatio > 0 && h.gapRun > h.Lead+1 && j >= 0 && j < n {
		// A filled value is not scaled again: a gap longer than a season would drift.
		if !h.ObservedAt(j) {
			return h.DemandAt(j)
		}
		return min(h.gapRatio*h.DemandAt(j), maxUnits)
	}
	return h.DemandAt(n - 1)
}

// Last returns the newest step, filled when it is a gap; zero without a history.
func (h *History) Last() float64 {
	if h.N() == 0 {
		return 0
	}
	return h.DemandAt(h.N() - 1)
}

// Prefix makes view the history as it was before step i. No step of h is derived yet.
func (h *History) Prefix(i int, view *History) *History {
	view.x, view.sums, view.level, view.observed = h.x[:i], h.sums[:i+1], h.level[:i+1], h.observed[:i]
	view.windowMax = h.windowMax[:max(0, min(i-h.Lead, len(h.windowMax)))]
	view.outcomeSums = h.outcomeSums[:i+1]
	return view
}

// Unobserved returns the number of steps that were filled. No step of h is derived yet.
func (h *History) Unobserved() int {
	n := 0
	for _, ok := range h.observed {
		if !ok {
			n++
		}
	}
	return n
}
