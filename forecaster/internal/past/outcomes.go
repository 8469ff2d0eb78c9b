package past

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// maxRecent bounds how many steps Recent looks at.
const maxRecent = 720

// Recent returns the maximum over the two latest lead windows, and the mean change from step to
// step relative to mean demand.
func (h *History) Recent(i int) (largest, variation float64) {
	w := min(2*(h.Lead+1), maxRecent)
	recent := h.x[max(0, i-w)-h.from : i-h.from]
	if len(recent) == 0 {
		return 0, 0
	}
	changes, sum := 0.0, 0.0
	for k, v := range recent {
		largest = max(largest, v)
		sum += v
		if k > 0 {
			changes += math.Abs(v - recent[k-1])
		}
	}
	return largest, changes / (sum + h.LogOffset*float64(len(recent)))
}

// Outcomes are the mean and the spread of how far lead-window maxima rose above the level, with
// exponential weights, in three memories.
type Outcomes struct{ Mean, Spread [3]float64 }

// An outcomeSum is the weighted sums behind outcomes, in one memory.
type outcomeSum struct{ weight, sum, squares float32 }

// outcomeMemories are the time constants of the weights.
func outcomeMemories() [3]time.Duration {
	return [...]time.Duration{30 * time.Minute, 3 * time.Hour, 12 * time.Hour}
}

const (
	// maxOutcome bounds an outcome, on the log scale.
	maxOutcome = 3.0
	// usualRise and usualSpread are expected of a window before any is known; priorWeight is for how
	// long they count.
	usualRise, usualSpread = 0.1, 0.2
	priorWeight            = 20 * time.Minute
)

// Outcomes returns the outcomes of the windows that are complete before step i.
func (h *History) Outcomes(i int) (o Outcomes) {
	prior := float64(priorWeight) / float64(h.Step)
	for k, s := range h.outcomeSums[i-h.from] {
		n := float64(s.weight) + prior
		mean := (float64(s.sum) + prior*usualRise) / n
		square := (float64(s.squares) + prior*(usualSpread*usualSpread+usualRise*usualRise)) / n
		o.Mean[k], o.Spread[k] = mean, math.Sqrt(max(0, square-mean*mean))
	}
	return o
}

// addOutcome continues the sums by the window that the newest step completes.
func (h *History) addOutcome() {
	sums := h.outcomeSums[len(h.outcomeSums)-1]
	i := h.N() - 1 - h.Lead
	if i >= 1 && h.ObservedAt(i) && h.observed[len(h.observed)-1] {
		y := float32(stats.Clamp(h.WindowMaxAt(i)-h.LevelAt(i), -maxOutcome, maxOutcome))
		for k := range sums {
			s, keep := &sums[k], h.outcomeKeep[k]
			s.weight, s.sum, s.squares = s.weight*keep+1, s.sum*keep+y, s.squares*keep+y*y
		}
	}
	h.outcomeSums = append(h.outcomeSums, sums)
}

// outcomeKeep returns the factors on the sums per step.
func outcomeKeep(step time.Duration) (keep [3]float32) {
	for k, m := range outcomeMemories() {
		keep[k] = float32(math.Exp(-float64(step) / float64(max(m, step))))
	}
	return keep
}
