package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/calendar"
	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A history is demand as the models see it: gaps are filled, logarithms taken, running sums and
// maxima at hand. It grows step by step. What it says about step i uses the steps before i only.
type history struct {
	calendar.Clock
	lead       int     // steps
	day        int     // the season that gaps are filled from, in steps; 0 when there is none
	levelSteps int     // steps that the level is averaged over
	unit       float64 // mean demand; all demand below is in units of it
	logOffset  float64 // added to demand before logarithms are taken
	largest    float64 // largest demand so far
	days       *calendar.Effects
	zeros      bool    // whether zeros are demand; when they are not, a run of them is an outage
	noShifts   bool    // whether level shifts are not looked for, in an ablation
	zeroRun    int     // zeros up to the newest step
	gapRun     int     // filled steps up to the newest one
	gapRatio   float64 // demand before the gap, relative to a season earlier; 0 when that is unknown

	// What follows begins at step from: see the methods for its meaning. Earlier steps are derived
	// from past.
	from      int
	past      past
	x         []float64
	sums      []float64
	windowMax []float64
	level     []float64
	observed  []bool

	outcomeSums [][3]outcomeSum // as the others, before each step
	outcomeKeep [3]float32
}

const (
	zeroShare = 0.02 // zeros that are rarer than this are outages
	tiny      = 1e-3 // demand below this share of the mean counts as zero

	// Demand is sparse when fewer of the steps than sparseShare have any. The log offset is then
	// this share of the demand of those that do.
	sparseShare, sparseOffset = 0.5, 0.25

	// maxUnits bounds demand, in units of its mean. maxLog bounds a logarithm of demand.
	maxUnits, maxLog = 1e12, 600
)

// newHistory returns the history of raw demand, which begins at start, with room for capacity
// steps.
func newHistory(start time.Time, o Options, raw []float64, capacity int, p season.Periods) *history {
	unit := stats.MeanKnown(raw)
	h := &history{
		Clock: calendar.NewClock(start, o.Step, o.Location),
		lead:  o.Lead, day: p.Day, levelSteps: max(1, (o.Lead+2)/3),
		unit: unit, logOffset: demand.LogOffset,
		days:     calendar.Learn(o.calendarDays(), start, o.Step, raw, p.Day),
		zeros:    shareOf(raw, func(v float64) bool { return v <= tiny*unit }) > zeroShare,
		noShifts: !o.has(partShifts),

		x: make([]float64, 0, capacity), sums: make([]float64, 1, capacity+1),
		windowMax: make([]float64, 0, capacity), level: make([]float64, 1, capacity+1),
		observed: make([]bool, 0, capacity),

		outcomeSums: make([][3]outcomeSum, 1, capacity+1), outcomeKeep: outcomeKeep(o.Step),
	}
	if unit <= 0 {
		h.unit, h.zeros = 1, true
	}
	if busy := shareOf(raw, func(v float64) bool { return v > tiny*unit }); busy < sparseShare {
		h.logOffset = sparseOffset / math.Max(busy, tiny)
	}
	h.level[0] = math.Log(h.logOffset)
	for _, v := range raw {
		h.push(v)
	}
	return h
}

// shareOf returns the share of the known values for which f holds.
func shareOf(values []float64, f func(float64) bool) float64 {
	var p proportion
	for _, v := range values {
		if !math.IsNaN(v) {
			p.add(f(v))
		}
	}
	return p.hits / math.Max(p.n, 1)
}

// n returns the number of steps.
func (h *history) n() int { return h.from + len(h.x) }

// windows returns the number of steps whose lead window is known.
func (h *history) windows() int { return max(0, h.n()-h.lead) }

// demandAt returns demand at step i without the effects of named days.
func (h *history) demandAt(i int) float64 {
	if i < h.from {
		return h.demandBefore(i)
	}
	return h.x[i-h.from]
}

// sumTo returns the sum of demand over the steps before step i.
func (h *history) sumTo(i int) float64 {
	if i < h.from {
		return h.sumBefore(i)
	}
	return h.sums[i-h.from]
}

// windowMaxAt returns the log of the maximum over the lead window that begins at step i.
func (h *history) windowMaxAt(i int) float64 {
	if i < h.from {
		return h.windowMaxBefore(i)
	}
	return h.windowMax[i-h.from]
}

// levelAt returns the log of the mean over the levelSteps steps before step i.
func (h *history) levelAt(i int) float64 {
	if i < h.from {
		return h.levelBefore(i)
	}
	return h.level[i-h.from]
}

// observedAt reports whether demand at step i was observed; otherwise it was filled.
func (h *history) observedAt(i int) bool {
	if i < h.from {
		_, filled := h.past.filled.At(i)
		return !filled
	}
	return h.observed[i-h.from]
}

// log returns demand on the scale of the models.
func (h *history) log(v float64) float64 { return math.Log(v + h.logOffset) }

// exp is the inverse of log.
func (h *history) exp(z float64) float64 { return max(0, math.Exp(min(z, maxLog))-h.logOffset) }

// mean returns the mean of the w steps before step i, or of as many as there are.
func (h *history) mean(i, w int) float64 {
	j := max(0, i-w)
	if j >= i {
		return 0
	}
	return max(0, (h.sumTo(i)-h.sumTo(j))/float64(i-j))
}

// push appends one step of demand in the user's unit; NaN is a gap.
func (h *history) push(v float64) {
	n := h.n()
	v = h.normalise(v * math.Exp(-h.days.At(n)))
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
	h.largest = math.Max(h.largest, v)
	h.observed = append(h.observed, observed)
	h.sums = append(h.sums, h.sumTo(n)+v)
	n++
	h.level = append(h.level, h.log(h.mean(n, h.levelSteps)))
	if n > h.lead {
		h.windowMax = append(h.windowMax, h.log(stats.Max(h.x[n-1-h.lead-h.from:])))
	}
	h.addOutcome()
}

// normalise returns demand in units of its mean. It rounds, so that the same series in another unit
// gives the same numbers to the last bit: trees and whole replicas would amplify the smallest
// difference.
func (h *history) normalise(v float64) float64 {
	return min(maxUnits, math.Round(v/h.unit*1e9)/1e9)
}

// isOutage reports whether v is a zero that no model may learn from: zeros are rare in the history,
// and this one has lasted for less than a day.
func (h *history) isOutage(v float64) bool {
	if h.zeros || v > tiny {
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
func (h *history) fill(n int) float64 {
	if n == 0 {
		return 0
	}
	if h.gapRun == 0 {
		h.gapRatio = 0
		if j := n - h.day; h.day > 0 && j > 0 {
			h.gapRatio = stats.Clamp(math.Exp(h.levelAt(n)-h.levelAt(j)), 0.2, 5)
		}
	}
	h.gapRun++
	if j := h.Back(n, h.day); h.gapRatio > 0 && h.gapRun > h.lead+1 && j >= 0 && j < n {
		// A filled value is not scaled again: a gap longer than a season would drift.
		if !h.observedAt(j) {
			return h.demandAt(j)
		}
		return min(h.gapRatio*h.demandAt(j), maxUnits)
	}
	return h.demandAt(n - 1)
}

// last returns the newest step, filled when it is a gap; zero without a history.
func (h *history) last() float64 {
	if h.n() == 0 {
		return 0
	}
	return h.demandAt(h.n() - 1)
}

// prefix makes view the history as it was before step i. No step of h is derived yet.
func (h *history) prefix(i int, view *history) *history {
	view.x, view.sums, view.level, view.observed = h.x[:i], h.sums[:i+1], h.level[:i+1], h.observed[:i]
	view.windowMax = h.windowMax[:max(0, min(i-h.lead, len(h.windowMax)))]
	view.outcomeSums = h.outcomeSums[:i+1]
	return view
}
