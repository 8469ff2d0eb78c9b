package forecaster

import (
	"math"
	"slices"
)

// A past derives what a history knows about its early steps from the demand that was given, so that
// this need not be kept. It gives the same values to the last bit: a sum is continued from that of
// its block, in the order in which the history added it up.
type past struct {
	raw     *rawSeries
	filled  sparse    // demand at the steps that were not observed
	sums    []float64 // of all steps before a block
	largest []float64 // of a block; nil when lead windows are shorter than two of them

	levels [4]knownLevel // that were derived last: an Outlook asks for few of them again and again
	oldest int           // of levels
}

// A knownLevel is the level before a step.
type knownLevel struct {
	step  int
	level float64
}

// shrink keeps the newest steps only, as many as updates look at one by one, and derives the others
// from raw. It does so for whole blocks.
func (h *history) shrink(raw *rawSeries) {
	from := h.n() - max(h.lead+1, min(2*(h.lead+1), maxRecent))
	if from-h.from < blockSteps {
		return
	}
	p := &h.past
	p.raw = raw
	for i := h.from; i < from; i++ {
		if !h.observedAt(i) {
			p.filled.add(i, h.demandAt(i))
		}
	}
	p.sums = slices.Grow(p.sums, (from+blockSteps-1)/blockSteps-len(p.sums))
	for b := len(p.sums); b*blockSteps < from; b++ {
		p.sums = append(p.sums, h.sumTo(b*blockSteps))
	}
	for b := len(p.largest); h.lead >= 2*blockSteps && (b+1)*blockSteps <= from; b++ {
		largest := math.Inf(-1)
		for i := b * blockSteps; i < (b+1)*blockSteps; i++ {
			largest = math.Max(largest, h.demandAt(i))
		}
		p.largest = append(p.largest, largest)
	}
	drop := from - h.from
	h.from = from
	h.x, h.sums, h.windowMax = tail(h.x, drop), tail(h.sums, drop), tail(h.windowMax, drop)
	h.level, h.observed = tail(h.level, drop), tail(h.observed, drop)
}

// tail copies what follows the first n values, with room for a block.
func tail[T any](values []T, n int) []T {
	return append(make([]T, 0, len(values)-n+blockSteps), values[n:]...)
}

// demandBefore is demandAt for a step before h.from.
func (h *history) demandBefore(i int) float64 {
	// What was given may be a gap, a zero that counts as an outage, or an absurd sample.
	if filled, ok := h.past.filled.at(i); ok {
		return filled
	}
	return h.normalise(h.past.raw.at(i) * math.Exp(-h.days.At(i)))
}

// sumBefore is sumTo for a step before h.from.
func (h *history) sumBefore(i int) float64 {
	block := i / blockSteps
	sum := h.past.sums[block]
	for k := block * blockSteps; k < i; k++ {
		sum += h.demandBefore(k)
	}
	return sum
}

// levelBefore is levelAt for a step before h.from.
func (h *history) levelBefore(i int) float64 {
	p := &h.past
	for _, k := range p.levels {
		if k.step == i && i > 0 {
			return k.level
		}
	}
	level := h.log(h.mean(i, h.levelSteps))
	p.levels[p.oldest] = knownLevel{i, level}
	p.oldest = (p.oldest + 1) % len(p.levels)
	return level
}

// windowMaxBefore is windowMaxAt for a step before h.from.
func (h *history) windowMaxBefore(i int) float64 {
	largest, end := math.Inf(-1), i+h.lead+1
	for i < end {
		if h.past.largest != nil && i%blockSteps == 0 && i+blockSteps <= min(end, h.from) {
			largest = math.Max(largest, h.past.largest[i/blockSteps])
			i += blockSteps
			continue
		}
		largest = math.Max(largest, h.demandAt(i))
		i++
	}
	return h.log(largest)
}
