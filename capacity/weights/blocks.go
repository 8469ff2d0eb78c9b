package weights

import (
	"math"
	"slices"
	"time"
)

const (
	// blockTime is how long a block is: single steps are noisy, and latency follows the load of
	// some minutes.
	blockTime = 10 * time.Minute
	// settles is how long replicas must have been the same before a step teaches.
	settles = 5 * time.Minute
	// maxBlocks bounds the blocks, the newest ones: two weeks.
	maxBlocks = 2016
	// Blocks with less than this share of a high load do not count.
	busyShare = 0.5
	highLoad  = 0.95 // a quantile of the load
	// Latencies beyond these, relative to the objective, count as these. Far below it, latency says
	// how long a request alone takes. Above saturation, it says how long the overload lasted.
	lowest, highest = 0.4, 3
)

// A block is the mean over some minutes.
type block struct {
	slot    int64 // the time since 1970, in blocks; of an Evidence only
	day     int
	terms   []float64 // for each ready replica
	latency float64   // log of the latency relative to the objective
}

// blocks returns the blocks of steps that teach, in order of time.
func (in Input) blocks() []block {
	width := int(max(blockTime/in.Step, 1))
	settle := int(max(settles/in.Step, 1))
	n := len(in.Latency)
	first := 0
	if blocks := n / width; blocks > maxBlocks {
		first = (blocks - maxBlocks) * width
	}
	var out []block
	unchanged := 0
	sum := newSum(len(in.Terms))
	for i := first; i < n; i++ {
		unchanged++
		if i == first || in.Replicas[i] != in.Replicas[i-1] {
			unchanged = 0
		}
		if unchanged >= settle {
			sum.add(in, i)
		}
		if (i-first+1)%width == 0 {
			if b, ok := sum.block(width); ok {
				b.day = int(in.Start.Add(time.Duration(i)*in.Step).Unix() / (24 * 3600))
				out = append(out, b)
			}
			sum = newSum(len(in.Terms))
		}
	}
	return out
}

// sum adds up the steps of a block.
type sum struct {
	terms   []float64
	latency float64
	steps   int
}

func newSum(terms int) *sum { return &sum{terms: make([]float64, terms)} }

// add adds step i of an input, if all is known of it.
func (s *sum) add(in Input, i int) {
	replicas, latency := in.Replicas[i], in.Latency[i]
	if !(replicas >= 1) || replicas != math.Trunc(replicas) || math.IsInf(replicas, 0) || !(latency >= 0) {
		return
	}
	for _, t := range in.Terms {
		if !(t[i] >= 0) || t[i] > largest {
			return
		}
	}
	for k, t := range in.Terms {
		s.terms[k] += t[i] / replicas
	}
	s.latency += math.Log(min(max(latency/in.AtMost, lowest), highest))
	s.steps++
}

// largest bounds a term and a weight, so that the load is finite.
const largest = 1e100

// block returns the mean over the steps. It reports whether there are at least half of them.
func (s *sum) block(width int) (block, bool) {
	if s.steps == 0 || 2*s.steps < width {
		return block{}, false
	}
	for k := range s.terms {
		s.terms[k] /= float64(s.steps)
	}
	return block{terms: s.terms, latency: s.latency / float64(s.steps)}, true
}

// busy returns the blocks with much to do, by the given weights.
func busy(blocks []block, given []float64) []block {
	if len(blocks) == 0 {
		return nil
	}
	loads := make([]float64, len(blocks))
	for i, b := range blocks {
		loads[i] = dot(given, b.terms)
	}
	sorted := slices.Sorted(slices.Values(loads))
	least := busyShare * sorted[int(highLoad*float64(len(sorted)-1))]
	var out []block
	for i, b := range blocks {
		if loads[i] >= least && loads[i] > 0 {
			out = append(out, b)
		}
	}
	return out
}

func dot(weights, terms []float64) float64 {
	out := 0.0
	for i, w := range weights {
		out += min(w, largest) * terms[i]
	}
	return out
}
