package forecaster

import (
	"math"
	"slices"
)

const (
	treeRows   = 4000 // most rows that a forest is grown on
	treeCount  = 60
	treeDepth  = 4
	treeBins   = 24
	treeRate   = 0.1
	leafRows   = 24  // fewest rows a leaf may hold
	leafSample = 150 // about how many rows of a leaf its value is taken from
	leafPrior  = 20  // rows' worth of doubt with which a leaf's value is drawn to zero
)

// A forest is a sum of small regression trees on binned features, boosted at a quantile.
type forest struct{ trees []tree }

// A tree is a complete binary tree of treeDepth levels; node k has the children 2k+1 and 2k+2.
type tree struct {
	feature [1<<treeDepth - 1]int16
	edge    [1<<treeDepth - 1]float64 // a row goes left where its feature is at most this
	leaf    [1 << treeDepth]float64
}

func (t *tree) value(row []float64) float64 {
	k := 0
	for range treeDepth {
		if row[t.feature[k]] <= t.edge[k] {
			k = 2*k + 1
		} else {
			k = 2*k + 2
		}
	}
	return t.leaf[k-(1<<treeDepth-1)]
}

func (f *forest) value(row []float64) float64 {
	sum := 0.0
	for i := range f.trees {
		sum += f.trees[i].value(row)
	}
	return sum
}

// A booster grows forests on what a first estimate leaves.
type booster struct {
	d      *design
	tau    float64
	bins   []uint8     // column-major
	edges  [][]float64 // per feature, ascending upper edges of its bins but the last
	resid  []float64
	node   []uint8
	sample []sampled
	seed   uint32
	held   [1 << treeDepth][]float64
	hist   [][treeBins]bucket
}

// A sampled is a row that a tree is grown on.
type sampled struct {
	grad, weight float64
	row          int32
	at           int32 // its node, counted from the first of the level
}

// A bucket is the gradients and the weight of the rows that share a bin of a feature.
type bucket struct{ sum, count float64 }

// thin returns every k-th row, so that at most so many remain.
func (d *design) thin(rows int) *design {
	k := (d.rows() + rows - 1) / rows
	if k <= 1 {
		return d
	}
	out := &design{p: d.p, stride: d.stride * k}
	for i := 0; i < d.rows(); i += k {
		out.x = append(out.x, d.row(i)...)
		out.y = append(out.y, d.y[i])
		out.w = append(out.w, d.w[i])
	}
	return out
}

// newBooster sorts the rows of d, or as many of them as trees are grown on, into bins.
func newBooster(d *design, tau float64) *booster {
	b := &booster{d: d.thin(treeRows), tau: tau}
	n := b.d.rows()
	b.resid, b.node = make([]float64, n), make([]uint8, n)
	b.bin()
	return b
}

// boost fits a forest to what the coefficients base leave; nil leaves all.
func (b *booster) boost(base []float64) *forest {
	b.seed = 1
	for i, y := range b.d.y {
		b.resid[i] = y
		if base != nil {
			b.resid[i] -= dot(b.d.row(i), base)
		}
	}
	f := &forest{}
	for range treeCount {
		f.trees = append(f.trees, b.grow())
	}
	return f
}

// random returns a small pseudo-random number, the same sequence for every fit.
func (b *booster) random() uint32 {
	b.seed = b.seed*1664525 + 1013904223
	return b.seed >> 8
}

func (b *booster) bin() {
	n, p := b.d.rows(), b.d.p
	b.bins = make([]uint8, n*p)
	b.edges = make([][]float64, p)
	sample := make([]float64, 0, 1024)
	for k := 1; k < p; k++ {
		sample = sample[:0]
		for i := 0; i < n; i += max(1, n/1000) {
			sample = append(sample, b.d.x[i*p+k])
		}
		slices.Sort(sample)
		var edges []float64
		for q := 1; q < treeBins; q++ {
			e := sample[q*(len(sample)-1)/treeBins]
			if len(edges) == 0 || e > edges[len(edges)-1] {
				edges = append(edges, e)
			}
		}
		b.edges[k] = edges
		col := b.bins[k*n : (k+1)*n]
		for i := range col {
			at, _ := slices.BinarySearch(edges, b.d.x[i*p+k])
			col[i] = uint8(at)
		}
	}
}

// grow adds one tree on half of the rows and two fifths of the features, and takes what it explains off the residuals.
func (b *booster) grow() tree {
	n, p := b.d.rows(), b.d.p
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
		b.sample = append(b.sample, sampled{grad: g * b.d.w[i], weight: b.d.w[i], row: int32(i)})
	}
	var features []int
	for k := 1; k < p; k++ {
		if len(b.edges[k]) > 0 && b.random()%5 < 2 {
			features = append(features, k)
		}
	}
	var t tree
	for i := range t.edge {
		t.edge[i] = math.Inf(1)
	}
	bins := [1<<treeDepth - 1]uint8{}
	for level := range treeDepth {
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

// split chooses the best split of each node of a level.
func (b *booster) split(t *tree, bins *[1<<treeDepth - 1]uint8, level int, features []int) {
	n := b.d.rows()
	first, nodes := 1<<level-1, 1<<level
	type split struct {
		gain    float64
		feature int
		bin     uint8
	}
	best := make([]split, nodes)
	if b.hist == nil {
		b.hist = make([][treeBins]bucket, 1<<treeDepth)
	}
	for j := range b.sample {
		b.sample[j].at = int32(int(b.node[b.sample[j].row]) - first)
	}
	for _, k := range features {
		hist := b.hist[:nodes]
		clear(hist)
		col := b.bins[k*n : (k+1)*n]
		for j := range b.sample {
			s := &b.sample[j]
			c := &hist[s.at][col[s.row]]
			c.sum += s.grad
			c.count += s.weight
		}
		for at := range nodes {
			var all, rows float64
			for q := range treeBins {
				all += hist[at][q].sum
				rows += hist[at][q].count
			}
			whole := all * all / (rows + leafPrior)
			var left, got float64
			for q := range len(b.edges[k]) {
				left += hist[at][q].sum
				got += hist[at][q].count
				if got < leafRows || rows-got < leafRows {
					continue
				}
				right := all - left
				if gain := left*left/(got+leafPrior) + right*right/(rows-got+leafPrior) - whole; gain > best[at].gain {
					best[at] = split{gain, k, uint8(q)}
				}
			}
		}
	}
	for at, s := range best {
		bins[first+at] = math.MaxUint8
		if s.gain > 0 {
			t.feature[first+at] = int16(s.feature)
			t.edge[first+at] = b.edges[s.feature][s.bin]
			bins[first+at] = s.bin
		}
	}
}

// fillLeaves sets each leaf to the quantile of the residuals that it holds, shrunk.
func (b *booster) fillLeaves(t *tree) {
	const first = 1<<treeDepth - 1
	held := &b.held
	for k := range held {
		held[k] = held[k][:0]
	}
	var count [1 << treeDepth]int
	for _, s := range b.sample {
		count[b.node[s.row]-first]++
	}
	var seen [1 << treeDepth]int
	for _, s := range b.sample {
		k := b.node[s.row] - first
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
		t.leaf[k] = treeRate * quantileSorted(v, b.tau) * m / (m + leafPrior)
	}
	for i := range b.resid {
		b.resid[i] -= t.leaf[b.node[i]-first]
	}
}
