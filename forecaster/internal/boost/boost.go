// Package boost fits forests of small regression trees at a quantile, by gradient boosting
// (Friedman 2001).
package boost

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	maxRows  = 4000 // most rows that a forest is grown on
	trees    = 60   // trees of a forest
	depth    = 4    // levels of splits in a tree
	leaves   = 1 << depth
	inner    = leaves - 1 // nodes with a split
	maxBins  = 24         // bins of a feature
	rate     = 0.1        // learning rate: the share of a leaf's value that is used
	leafRows = 24         // least weight of the rows in a leaf
	// leafSample is about how many rows of a leaf its quantile is computed from.
	leafSample = 150
	// leafPrior is the weight, in rows, with which gains and the values of leaves are shrunk to
	// zero.
	leafPrior = 20
)

// A Forest is a sum of trees.
type Forest struct{ trees []tree }

// Value returns the forest's estimate for the features row.
func (f *Forest) Value(row []float64) float64 {
	sum := 0.0
	for i := range f.trees {
		sum += f.trees[i].value(row)
	}
	return sum
}

// A tree is a complete binary tree. Node k has the children 2k+1 and 2k+2.
type tree struct {
	feature [inner]int16
	edge    [inner]float32 // a row goes left when its feature is at most this
	leaf    [leaves]float32
}

func (t *tree) value(row []float64) float64 {
	k := 0
	for range depth {
		if float32(row[t.feature[k]]) <= t.edge[k] {
			k = 2*k + 1
		} else {
			k = 2*k + 2
		}
	}
	return float64(t.leaf[k-inner])
}

// A Booster grows forests on one design. Its features are sorted into bins once.
type Booster struct {
	d      *regress.Design
	tau    float64
	bins   []uint8     // bin of each row, feature by feature
	edges  [][]float64 // per feature, the ascending upper edges of all bins but the last
	resid  []float64   // what is left to explain, of each row
	node   []uint8     // where each row stands in the tree that grows
	sample []sampled
	seed   uint32
	held   [leaves][]float64
	hist   [2]histogram // of two features: a processor adds up both in little more than the time of one
}

// A sampled row is one that a tree is grown on.
type sampled struct {
	grad, weight float64
	row          int32
	at           uint8 // where the bins of its node begin in a histogram
}

// A bucket sums the rows that share a bin of a feature.
type bucket struct{ grad, weight float64 }

// nodeBins is the room for the bins of a node in a histogram.
const nodeBins = 32

// A histogram has the buckets of the nodes of a level.
type histogram [leaves / 2 * nodeBins]bucket

// New returns a Booster at quantile tau. It uses at most 4,000 of the rows of d, evenly spread.
func New(d *regress.Design, tau float64) *Booster {
	b := &Booster{d: d.Thin(maxRows), tau: tau}
	n := b.d.Rows()
	b.resid, b.node = make([]float64, n), make([]uint8, n)
	b.bin()
	return b
}

// Fit fits a forest to the residuals of the linear model with coefficients base; nil is no model.
func (b *Booster) Fit(base []float64) *Forest {
	b.seed = 1
	for i, y := range b.d.Y {
		b.resid[i] = y
		if base != nil {
			b.resid[i] -= stats.Dot(b.d.Row(i), base)
		}
	}
	f := &Forest{trees: make([]tree, 0, trees)}
	for range trees {
		f.trees = append(f.trees, b.grow())
	}
	return f
}

// random returns a small pseudo-random number. The sequence is the same for every fit.
func (b *Booster) random() uint32 {
	b.seed = b.seed*1664525 + 1013904223
	return b.seed >> 8
}

// bin sorts every feature into bins that hold about equally many rows.
func (b *Booster) bin() {
	n, p := b.d.Rows(), b.d.P
	b.bins = make([]uint8, n*p)
	b.edges = make([][]float64, p)
	sample := make([]float64, 0, 1024)
	for k := 1; k < p; k++ {
		sample = sample[:0]
		for i := 0; i < n; i += max(1, n/1000) {
			sample = append(sample, b.d.X[i*p+k])
		}
		slices.Sort(sample)
		var edges []float64
		for q := 1; q < maxBins; q++ {
			e := sample[q*(len(sample)-1)/maxBins]
			if len(edges) == 0 || e > edges[len(edges)-1] {
				edges = append(edges, e)
			}
		}
		b.edges[k] = edges
		column := b.bins[k*n : (k+1)*n]
		for i := range column {
			at, _ := slices.BinarySearch(edges, b.d.X[i*p+k])
			column[i] = uint8(at)
		}
	}
}

// grow returns a tree that is fitted to half of the rows and two fifths of the features, and takes
// what it explains off the residuals.
func (b *Booster) grow() tree {
	b.draw()
	features := b.drawFeatures()
	var t tree
	for i := range t.edge {
		t.edge[i] = float32(math.Inf(1))
	}
	n := b.d.Rows()
	bins := [inner]uint8{} // the bin that each split ends at
	for level := range depth {
		b.split(&t, &bins, level, features)
		for i := range n {
			k := b.node[i]
			if b.bins[int(t.feature[k])*n+i] <= bins[k] {
				b.node[i] = 2*k + 1
			} else {
				b.node[i] = 2*k + 2
			}
		}
	}
	b.fillLeaves(&t)
	return t
}

// draw puts all rows at the root and samples half of them, with the gradients of the pinball loss.
func (b *Booster) draw() {
	b.sample = b.sample[:0]
	for i, r := range b.resid {
		b.node[i] = 0
		if b.random()&1 != 0 {
			continue
		}
		g := b.tau
		if r < 0 {
			g--
		}
		b.sample = append(b.sample, sampled{grad: g * b.d.W[i], weight: b.d.W[i], row: int32(i)})
	}
}

// drawFeatures returns two fifths of the features that vary.
func (b *Booster) drawFeatures() []int {
	var features []int
	for k := 1; k < b.d.P; k++ {
		if len(b.edges[k]) > 0 && b.random()%5 < 2 {
			features = append(features, k)
		}
	}
	return features
}

// A candidate is a split that may be chosen for a node.
type candidate struct {
	gain    float64
	feature int
	bin     uint8
}

// split chooses the best split of each node of a level. A node that no split improves sends all its
// rows to the left.
func (b *Booster) split(t *tree, bins *[inner]uint8, level int, features []int) {
	first, nodes := 1<<level-1, 1<<level
	best := make([]candidate, nodes)
	for j := range b.sample {
		b.sample[j].at = uint8((int(b.node[b.sample[j].row]) - first) * nodeBins)
	}
	for pair := range slices.Chunk(features, 2) {
		b.fillHistograms(pair[0], pair[len(pair)-1], nodes)
		for j, k := range pair {
			for at := range nodes {
				b.bestSplit(k, b.hist[j][at*nodeBins:][:maxBins], &best[at])
			}
		}
	}
	for at, s := range best {
		bins[first+at] = math.MaxUint8
		if s.gain > 0 {
			t.feature[first+at] = int16(s.feature)
			t.edge[first+at] = float32(b.edges[s.feature][s.bin])
			bins[first+at] = s.bin
		}
	}
}

// fillHistograms sums the sampled rows by node and bin, of the features k and l.
func (b *Booster) fillHistograms(k, l, nodes int) {
	n := b.d.Rows()
	first, second := &b.hist[0], &b.hist[1]
	clear(first[:nodes*nodeBins])
	clear(second[:nodes*nodeBins])
	firstBins, secondBins := b.bins[k*n:(k+1)*n], b.bins[l*n:(l+1)*n]
	for j := range b.sample {
		s := &b.sample[j]
		c, d := &first[s.at+firstBins[s.row]], &second[s.at+secondBins[s.row]]
		c.grad += s.grad
		c.weight += s.weight
		d.grad += s.grad
		d.weight += s.weight
	}
}

// bestSplit replaces best by the split of a node on feature k that gains more.
func (b *Booster) bestSplit(k int, hist []bucket, best *candidate) {
	var all, weight float64
	for _, c := range hist {
		all += c.grad
		weight += c.weight
	}
	whole := all * all / (weight + leafPrior)
	var left, leftWeight float64
	for q := range len(b.edges[k]) {
		left += hist[q].grad
		leftWeight += hist[q].weight
		if leftWeight < leafRows || weight-leftWeight < leafRows {
			continue
		}
		right := all - left
		gain := left*left/(leftWeight+leafPrior) + right*right/(weight-leftWeight+leafPrior) - whole
		if gain > best.gain {
			*best = candidate{gain, k, uint8(q)}
		}
	}
}

// fillLeaves sets each leaf to the quantile of the residuals that it holds, shrunk to zero.
func (b *Booster) fillLeaves(t *tree) {
	held := &b.held
	for k := range held {
		held[k] = held[k][:0]
	}
	var count, seen [leaves]int
	for _, s := range b.sample {
		count[b.node[s.row]-inner]++
	}
	for _, s := range b.sample {
		k := b.node[s.row] - inner
		if seen[k]%(1+count[k]/leafSample) == 0 {
			held[k] = append(held[k], b.resid[s.row])
		}
		seen[k]++
	}
	for k, v := range held {
		if len(v) == 0 {
			continue
		}
		slices.Sort(v)
		m := float64(count[k])
		t.leaf[k] = float32(rate * stats.Quantile(v, b.tau) * m / (m + leafPrior))
	}
	for i := range b.resid {
		b.resid[i] -= float64(t.leaf[b.node[i]-inner])
	}
}
