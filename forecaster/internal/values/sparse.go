package values

import "math/bits"

// BlockSteps is how many steps share an entry of an index: as many as a word has bits.
const BlockSteps = 64

// A Sparse holds values for some of the steps of a series. To look one up takes constant time. The
// zero value holds none.
type Sparse struct {
	has    []uint64 // a bit for each step
	before []int32  // how many values the blocks before have, by block
	values []float64
}

// Add adds the value of step i, which is after the steps of all others.
func (s *Sparse) Add(i int, v float64) {
	for len(s.has) <= i/BlockSteps {
		s.has = append(s.has, 0)
		s.before = append(s.before, int32(len(s.values))) //nolint:gosec // at most the steps of a history
	}
	s.has[i/BlockSteps] |= 1 << (i % BlockSteps)
	s.values = append(s.values, v)
}

// At returns the value of step i, and reports whether there is one.
func (s *Sparse) At(i int) (float64, bool) {
	if i/BlockSteps >= len(s.has) {
		return 0, false
	}
	word, bit := s.has[i/BlockSteps], uint64(1)<<(i%BlockSteps)
	if word&bit == 0 {
		return 0, false
	}
	return s.values[int(s.before[i/BlockSteps])+bits.OnesCount64(word&(bit-1))], true
}
