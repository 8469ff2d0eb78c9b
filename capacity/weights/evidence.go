package weights

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Evidence collects what weights are learned from, step by step: the means of blocks of ten minutes,
// of the last two weeks. Its size does not grow beyond that. It is not safe for concurrent use.
type Evidence struct {
	step   time.Duration
	atMost float64
	terms  int

	blocks    []block
	sum       *sum
	slot      int64     // of the block that sum is for: the time since 1970 in blocks
	until     time.Time // end of the newest step that was added
	released  int64     // blocks up to this slot do not count
	replicas  float64   // in that step
	unchanged int       // how many steps in a row had these
}

// NewEvidence returns an Evidence of so many terms that knows nothing yet. atMost is the objective, in
// the unit of the latency.
func NewEvidence(terms int, step time.Duration, atMost float64) (*Evidence, error) {
	err := Input{
		Terms: make([][]float64, terms), Given: slices.Repeat([]float64{1}, terms), Step: step, AtMost: atMost,
	}.validate()
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	return &Evidence{
		step: step, atMost: atMost, terms: terms, sum: newSum(terms), replicas: math.NaN(), released: math.MinInt64,
	}, nil
}

// Clone returns a copy that shares nothing with e.
func (e *Evidence) Clone() *Evidence {
	c := *e
	c.blocks = slices.Clone(e.blocks) // nobody changes a block
	c.sum = &sum{slices.Clone(e.sum.terms), e.sum.latency, e.sum.steps}
	return &c
}

// Release drops what was before an instant, at which another release began to serve: the same work may
// take it longer or shorter, and the mix may differ too.
func (e *Evidence) Release(at time.Time) {
	slot := at.UnixNano() / int64(e.width())
	if slot <= e.released {
		return
	}
	e.released = slot
	e.blocks = slices.DeleteFunc(e.blocks, func(b block) bool { return b.slot <= slot })
	if e.slot <= slot {
		e.sum = newSum(e.terms)
	}
}

// width is how long a block is.
func (e *Evidence) width() time.Duration { return max(blockTime, e.step) }

// Add adds the steps from an instant on; a value that is not known is NaN. A series that is shorter
// than the latency is not known beyond its end. Steps that were added before are skipped.
func (e *Evidence) Add(from time.Time, terms [][]float64, latency, replicas []float64) {
	n := len(latency)
	in := Input{AtMost: e.atMost, Latency: latency, Replicas: known(replicas, n)}
	for k := range e.terms {
		var t []float64
		if k < len(terms) {
			t = terms[k]
		}
		in.Terms = append(in.Terms, known(t, n))
	}
	for i := range latency {
		at := from.Add(time.Duration(i) * e.step)
		if at.Before(e.until) {
			continue
		}
		e.add(at, in, i)
	}
}

// add adds step i of an input, which begins at an instant.
func (e *Evidence) add(at time.Time, in Input, i int) {
	if e.unchanged++; !at.Equal(e.until) || in.Replicas[i] != e.replicas {
		e.unchanged = 0
	}
	e.replicas, e.until = in.Replicas[i], at.Add(e.step)
	slot := at.UnixNano() / int64(e.width())
	if slot != e.slot {
		e.endBlock()
		e.slot = slot
	}
	if e.unchanged >= int(max(settles/e.step, 1)) && slot > e.released {
		e.sum.add(in, i)
	}
}

// endBlock keeps the block that ends, and drops those that are too old.
func (e *Evidence) endBlock() {
	const span = maxBlocks * blockTime
	if b, ok := e.sum.block(int(e.width() / e.step)); ok {
		b.slot, b.day = e.slot, int(time.Unix(0, e.slot*int64(e.width())).Unix()/(24*3600))
		e.blocks = append(e.blocks, b)
	}
	e.sum = newSum(e.terms)
	oldest := int(e.until.Add(-span).Unix() / (24 * 3600))
	first := max(len(e.blocks)-maxBlocks, 0)
	for first < len(e.blocks) && e.blocks[first].day < oldest {
		first++
	}
	if first > 0 {
		e.blocks = slices.Delete(e.blocks, 0, first)
	}
}

// known returns n values, NaN where s ends before.
func known(s []float64, n int) []float64 {
	if len(s) >= n {
		return s
	}
	return append(slices.Clip(s), slices.Repeat([]float64{math.NaN()}, n-len(s))...)
}
