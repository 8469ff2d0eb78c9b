package past

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/values"
)

// A derived part tells what a history knows about its early steps from the demand that was given, so that
// this need not be kept. It gives the same values to the last bit: a sum is continued from that of
// its block, in the order in which the history added it up.
type derived struct {
	raw     *values.Given
	filled  values.Sparse // demand at the steps that were not observed
	sums    []float64     // of all steps before a block
	largest []float64     // of a block; nil when lead windows are shorter than two of them

	// What was derived last. Each step asks for what the step before asked for, one step further on.
	knownSums    *known // sums of all steps before a step
	knownLargest *known // largest demand of the lead window that begins at a step
}

// blockSteps is how many steps share a sum: as many as share an entry of filled.
const blockSteps = values.BlockSteps

// knownSize is how many derived values are kept of each kind. It is a prime number: most questions
// are whole days apart, and should not share a place.
const knownSize = 127

// known keeps derived values by step. Each step has one place, which it shares with others: the
// newest value stays.
type known struct {
	after  [knownSize]int32 // one step after that of the value; 0 when there is none
	values [knownSize]float64
}

// at returns the value of step i, and reports whether it is known.
func (k *known) at(i int) (float64, bool) {
	if i < 0 {
		return 0, false
	}
	return k.values[i%knownSize], int(k.after[i%knownSize]) == i+1
}

// set keeps the value of step i.
func (k *known) set(i int, v float64) {
	k.values[i%knownSize], k.after[i%knownSize] = v, int32(i+1) //nolint:gosec // at most the steps of a history
}

// Shrink keeps the newest steps only, as many as updates look at one by one, and derives the others
// from raw. It does so for whole blocks.
func (h *History) Shrink(raw *values.Given) {
	from := h.N() - max(h.Lead+1, min(2*(h.Lead+1), maxRecent))
	if from-h.from < blockSteps {
		return
	}
	p := &h.past
	if p.raw = raw; p.knownSums == nil {
		p.knownSums, p.knownLargest = new(known), new(known)
	}
	for i := h.from; i < from; i++ {
		if !h.ObservedAt(i) {
			p.filled.Add(i, h.DemandAt(i))
		}
	}
	p.sums = slices.Grow(p.sums, (from+blockSteps-1)/blockSteps-len(p.sums))
	for b := len(p.sums); b*blockSteps < from; b++ {
		p.sums = append(p.sums, h.sumTo(b*blockSteps))
	}
	for b := len(p.largest); h.Lead >= 2*blockSteps && (b+1)*blockSteps <= from; b++ {
		largest := math.Inf(-1)
		for i := b * blockSteps; i < (b+1)*blockSteps; i++ {
			largest = max(largest, h.DemandAt(i))
		}
		p.largest = append(p.largest, largest)
	}
	drop := from - h.from
	h.from = from
	h.x, h.sums, h.windowMax = tail(h.x, drop), tail(h.sums, drop), tail(h.windowMax, drop)
	h.level, h.observed = tail(h.level, drop), tail(h.observed, drop)
	h.outcomeSums = tail(h.outcomeSums, drop)
}

// tail copies what follows the first n values, with room for a block.
func tail[T any](all []T, n int) []T {
	return append(make([]T, 0, len(all)-n+blockSteps), all[n:]...)
}

// demandBefore is demandAt for a step before h.from.
func (h *History) demandBefore(i int) float64 {
	// What was given may be a gap, a zero that counts as an outage, or an absurd sample.
	if filled, ok := h.past.filled.At(i); ok {
		return filled
	}
	v := h.past.raw.At(i)
	if h.Days != nil {
		v *= math.Exp(-h.Days.At(i))
	}
	return h.normalise(v)
}

// sumBefore is sumTo for a step before h.from.
func (h *History) sumBefore(i int) float64 {
	p := &h.past
	if sum, ok := p.knownSums.at(i); ok {
		return sum
	}
	from := i - 1
	sum, ok := p.knownSums.at(from)
	if !ok {
		from = i / blockSteps * blockSteps
		sum = p.sums[i/blockSteps]
	}
	for ; from < i; from++ {
		sum += h.demandBefore(from)
	}
	p.knownSums.set(i, sum)
	return sum
}

// levelBefore is levelAt for a step before h.from.
func (h *History) levelBefore(i int) float64 { return h.Log(h.Mean(i, h.LevelSteps)) }

// windowMaxBefore is windowMaxAt for a step before h.from.
func (h *History) windowMaxBefore(i int) float64 {
	p := &h.past
	largest, ok := p.knownLargest.at(i)
	if ok {
		return h.Log(largest)
	}
	// The window has lost a step since the one before, and gained one.
	largest, ok = p.knownLargest.at(i - 1)
	if gained := h.DemandAt(i + h.Lead); ok && gained >= largest {
		largest = gained
	} else if !ok || h.DemandAt(i-1) >= largest {
		largest = h.largestFrom(i)
	}
	p.knownLargest.set(i, largest)
	return h.Log(largest)
}

// largestFrom returns the largest demand of the lead window that begins at step i.
func (h *History) largestFrom(i int) float64 {
	largest, end := math.Inf(-1), i+h.Lead+1
	for i < end {
		if h.past.largest != nil && i%blockSteps == 0 && i+blockSteps <= min(end, h.from) {
			largest = max(largest, h.past.largest[i/blockSteps])
			i += blockSteps
			continue
		}
		largest = max(largest, h.DemandAt(i))
		i++
	}
	return largest
}
