package weights

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

const (
	// MaxFactor bounds learned weights: so many times more or less than the configured ones.
	MaxFactor = 10
	// worthIt is by how much other weights must change the work of many busy blocks, relatively.
	worthIt = 0.1
	// manyBlocks is the share of the busy blocks whose work may change by less than that.
	manyBlocks = 0.9
	digits     = 3 // of a learned weight
)

// Learn estimates the weights to use after inUse. configured are those that the user chose. What is
// learned stays within [MaxFactor] of them, and keeps the mean load of busy blocks as they make it: so
// all figures in the unit of the load keep their meaning. Terms that rise and fall together keep their
// ratio. Unless the verdict is [Better], the weights are inUse.
func (e *Evidence) Learn(configured, inUse []float64) (Estimate, error) {
	for _, all := range [][]float64{configured, inUse} {
		in := Input{Terms: make([][]float64, e.terms), Given: all, Step: e.step, AtMost: e.atMost}
		if err := in.validate(); err != nil {
			return Estimate{}, fmt.Errorf("weights: %w", err)
		}
	}
	blocks := busy(e.blocks, inUse)
	groups, n := together(blocks, e.terms)
	out := find(grouped(e.blocks, groups, n, inUse), slices.Repeat([]float64{1}, n))
	if out.Verdict == OneTerm && e.terms > 1 {
		out.Verdict = SameMix
	}
	factors := out.Weights
	out.Weights = slices.Clone(inUse)
	if out.Verdict != Better {
		return out, nil
	}
	learned := make([]float64, e.terms)
	for k, g := range groups {
		learned[k] = min(inUse[k]*factors[g], largest)
	}
	means := meansOf(blocks, e.terms)
	learned = scaled(learned, configured, means)
	for k, g := range groups {
		if share(groups, g, inUse, means) < leastShare { // Nothing is known of it.
			learned[k] = inUse[k]
		}
	}
	switch m := newMix(blocks, inUse); {
	case m.left(learned) > (1-betterGain)*m.left(inUse): // The bounds left too little of it.
		out.Verdict = GivenFit
	case changes(blocks, inUse, learned) < worthIt:
		out.Verdict = SmallChange
	default:
		out.Weights = learned
	}
	return out, nil
}

// share returns how much of the load the terms of a group make.
func share(groups []int, group int, weights, means []float64) float64 {
	part := 0.0
	for k, g := range groups {
		if g == group {
			part += weights[k] * means[k]
		}
	}
	return part / dot(weights, means)
}

// together returns the group of each term, and how many there are. Terms that rise and fall together
// are in one: nothing tells them apart.
func together(blocks []block, terms int) (groups []int, n int) {
	groups = make([]int, terms)
	means := meansOf(blocks, terms)
	for k := range terms {
		groups[k] = n
		for j := range k {
			if apart(blocks, means, j, k) < leastMix {
				groups[k] = groups[j]
				break
			}
		}
		if groups[k] == n {
			n++
		}
	}
	return groups, n
}

// apart returns how far two terms are apart, relative to their means: the root of the mean square.
func apart(blocks []block, means []float64, j, k int) float64 {
	if !(means[j] > 0) || !(means[k] > 0) || len(blocks) == 0 {
		return math.Inf(1)
	}
	all := 0.0
	for _, b := range blocks {
		all += square(b.terms[j]/means[j] - b.terms[k]/means[k])
	}
	return math.Sqrt(all / float64(len(blocks)))
}

// grouped returns blocks whose terms are the work of each group, by the given weights.
func grouped(blocks []block, groups []int, n int, given []float64) []block {
	out := make([]block, len(blocks))
	for i, b := range blocks {
		terms := make([]float64, n)
		for k, g := range groups {
			terms[g] += min(given[k], largest) * b.terms[k]
		}
		out[i] = block{b.slot, b.day, terms, b.latency}
	}
	return out
}

func meansOf(blocks []block, terms int) []float64 {
	means := make([]float64, terms)
	for _, b := range blocks {
		for k, t := range b.terms {
			means[k] += t / float64(len(blocks))
		}
	}
	return means
}

// scaled returns learned weights within the bounds around the configured ones, in a unit in which the
// mean load is that of the configured ones.
func scaled(learned, configured, means []float64) []float64 {
	at := func(scale float64) []float64 {
		out := make([]float64, len(learned))
		for k, c := range configured {
			out[k] = min(max(scale*learned[k], c/MaxFactor), c*MaxFactor)
		}
		return out
	}
	low, high := -300.0, 300.0 // the log of the scale, to the base 2
	want := dot(configured, means)
	for range 80 {
		middle := (low + high) / 2
		if dot(at(math.Exp2(middle)), means) < want {
			low = middle
		} else {
			high = middle
		}
	}
	out := at(math.Exp2(high))
	for k := range out {
		if means[k] > 0 {
			out[k] = rounded(out[k])
		} else {
			out[k] = min(max(learned[k], configured[k]/MaxFactor), configured[k]*MaxFactor)
		}
	}
	return out
}

func rounded(w float64) float64 {
	out, err := strconv.ParseFloat(strconv.FormatFloat(w, 'g', digits, 64), 64)
	if err != nil {
		return w
	}
	return out
}

// left returns how much of the latency weights leave unexplained.
func (m *mix) left(weights []float64) float64 {
	shares := make([]float64, len(weights))
	for k, w := range weights {
		shares[k] = min(w, largest) * m.means[k] / m.load
	}
	return m.fit(shares, func(block) bool { return true }).left
}

// changes returns by how much other weights change the work of most blocks, relative to the mean.
func changes(blocks []block, before, after []float64) float64 {
	means := meansOf(blocks, len(before))
	scale := dot(before, means) / dot(after, means)
	var all []float64
	for _, b := range blocks {
		if was := dot(before, b.terms); was > 0 {
			all = append(all, math.Abs(scale*dot(after, b.terms)/was-1))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(manyBlocks*float64(len(all)-1))]
}
