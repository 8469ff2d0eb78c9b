package demand

import (
	"math"
	"slices"
	"time"
)

const (
	// absurdFactor is how many times the usual demand of the last day a sample must be to be absurd.
	// What is usual is this quantile of what was believed.
	absurdFactor, usualLevel = 8, 0.98
	// fewest is how many samples it takes to say what is usual.
	fewest = 12
	// maxWindow bounds the samples that the quantile is taken of.
	maxWindow = 1440
	// risen is by how much a sample may exceed the last one that was believed, as a factor, without
	// any question.
	risen = 4
	// doubted is how many absurd samples in a row are not believed. What lasts longer is real.
	doubted = 2
	// wildFactor is how many times the bound makes a sample wild. A rate over five minutes shows one
	// wild sample for that long, so wild samples are not believed for longer.
	wildFactor = 12
	patience   = 5 * time.Minute
	// recurring is how many times something must have occurred, at least patience apart, to be usual.
	recurring = 3
)

// A Screen tells absurd samples of a series from demand, one step after the other. A counter that
// was reset, or a unit that was mistaken, makes a single sample that is many times what is usual. A
// real burst lasts.
//
// A sample is absurd when it is above eight times the 0.98 quantile of the last day, above anything
// that recurred, and above four times the last sample, each of what was believed. The rule was
// chosen on real traces: see docs/design.
type Screen struct {
	patient int       // steps for which wild samples are not believed
	window  []float32 // believed samples of the last day: a ring
	size    int       // of the ring when it is full
	next    int
	last    float64 // sample that was believed
	run     int     // absurd samples in a row up to the newest one

	step    int                // of the newest sample
	largest [recurring]float64 // of the blocks before the newest, in descending order
	block   int                // the newest block of patience, and the largest sample in it
	inBlock float64
}

// NewScreen returns a Screen for a series with steps of a length, before its first step.
func NewScreen(step time.Duration) Screen {
	if step <= 0 {
		step = time.Minute
	}
	return Screen{
		patient: max(doubted, int(patience/step)),
		size:    int(min(max(24*time.Hour/step, fewest), maxWindow)),
	}
}

// Absurd takes the next step into account, and reports whether its value is not to be believed.
func (s *Screen) Absurd(v float64) bool {
	s.step++
	if math.IsNaN(v) {
		return false
	}
	if v > risen*s.last && len(s.window) >= fewest {
		if bound := s.bound(); bound > 0 && v > bound {
			s.run++
			if s.run <= doubted || v > wildFactor*bound && s.run <= s.patient {
				return true
			}
		}
	}
	s.run = 0
	s.believe(v)
	return false
}

// bound returns the demand above which a sample is absurd; 0 when nothing is usual.
func (s *Screen) bound() float64 {
	sorted := slices.Clone(s.window)
	slices.Sort(sorted)
	usual := float64(sorted[int(usualLevel*float64(len(sorted)-1))])
	return max(absurdFactor*usual, s.largest[recurring-1])
}

// believe adds a sample to what is usual.
func (s *Screen) believe(v float64) {
	s.last = v
	if len(s.window) < s.size {
		s.window = append(s.window, float32(v))
	} else {
		s.window[s.next] = float32(v)
		s.next = (s.next + 1) % s.size
	}
	if block := s.step / s.patient; block != s.block {
		s.addBlock()
		s.block, s.inBlock = block, 0
	}
	s.inBlock = max(s.inBlock, v)
}

// addBlock adds the newest block to the largest ones.
func (s *Screen) addBlock() {
	k := recurring
	for k > 0 && s.inBlock > s.largest[k-1] {
		k--
	}
	if k < recurring {
		copy(s.largest[k+1:], s.largest[k:])
		s.largest[k] = s.inBlock
	}
}

// Screened returns a series with gaps in place of its absurd samples, the steps where these are, and
// the Screen for the steps that follow. Without one, it returns the series itself.
func Screened(step time.Duration, values []float64) (screened []float64, absurd []int, screen Screen) {
	screen = NewScreen(step)
	screened = values
	for i, v := range values {
		if !screen.Absurd(v) {
			continue
		}
		if absurd == nil {
			screened = slices.Clone(values)
		}
		screened[i] = math.NaN()
		absurd = append(absurd, i)
	}
	return screened, absurd, screen
}

// Plain reports whether the newest known value of a series is certainly demand. It looks at the
// newest samples only, so it costs little. False says nothing.
func Plain(step time.Duration, values []float64) bool {
	// Of so many samples in a row, one at least was believed.
	enough := NewScreen(step).patient + 1
	newest, least, known := math.NaN(), math.Inf(1), 0
	for i := len(values) - 1; i >= 0 && known < enough; i-- {
		switch v := values[i]; {
		case math.IsNaN(v):
		case math.IsNaN(newest):
			newest = v
		default:
			known++
			least = min(least, v)
		}
	}
	return known == enough && newest <= risen*least
}
