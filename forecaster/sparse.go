package forecaster

import "math/bits"

// blockSteps is how many steps share an entry of an index: as many as a word has bits.
const blockSteps = 64

// A sparse holds values for some of the steps of a series. To look one up takes constant time. The
// zero value holds none.
type sparse struct {
	has    []uint64 // a bit for each step
	before []int32  // how many values the blocks before have, by block
	values []float64
}

// add adds the value of step i, which is after the steps of all others.
func (s *sparse) add(i int, v float64) {
	for len(s.has) <= i/blockSteps {
		s.has = append(s.has, 0)
		s.before = append(s.before, int32(len(s.values))) //nolint:gosec // at most the steps of a history
	}
	s.has[i/blockSteps] |= 1 << (i % blockSteps)
	s.values = append(s.values, v)
}

// at returns the value of step i, and reports whether there is one.
func (s *sparse) at(i int) (float64, bool) {
	if i/blockSteps >= len(s.has) {
		return 0, false
	}
	word, bit := s.has[i/blockSteps], uint64(1)<<(i%blockSteps)
	if word&bit == 0 {
		return 0, false
	}
	return s.values[int(s.before[i/blockSteps])+bits.OnesCount64(word&(bit-1))], true
}
