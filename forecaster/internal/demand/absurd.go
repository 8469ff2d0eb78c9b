package demand

import (
	"math"
	"slices"
	"time"
)

const (
	// absurdFactor is how many times the largest usual demand a sample must be to be absurd. A
	// counter that was reset, or a unit that was mistaken, makes thousands of times. A real step of
	// demand that is larger still is believed once it lasts.
	absurdFactor = 100
	// fewest is how many known steps it takes to say what is usual.
	fewest = 30
	// single is how many of the largest samples are set aside to say what is usual, and rarest the
	// number of steps for which one more is. What recurs more often is usual.
	single, rarest = 2, 10_000
	// In a history of many steps, several samples are set aside where they are wildFactor times the
	// largest of the others.
	many, several, wildFactor = 2000, 10, 1000
	// patience is how long absurd demand must last to be believed. A rate over five minutes shows
	// one absurd sample for that long.
	patience = 5 * time.Minute
)

// limit returns the demand above which a sample is absurd, given a history: a multiple of the
// largest demand there, apart from the few largest samples. Samples within patient steps count as
// one. The limit is +Inf where nothing is usual: in a short history, and in one of zeros.
func limit(history []float64, patient int) float64 {
	known := 0
	for _, v := range history {
		if v >= 0 {
			known++
		}
	}
	if known < fewest {
		return math.Inf(1)
	}
	few := single + known/rarest
	largest := largestBlocks(history, patient, max(few, several)+1) // in descending order
	limit := beyond(largest, few, absurdFactor)
	if known >= many {
		limit = math.Min(limit, beyond(largest, several, wildFactor))
	}
	return limit
}

// beyond returns a multiple of the largest value but for some; +Inf where that is no demand.
func beyond(descending []float64, but int, factor float64) float64 {
	if v := descending[min(but, len(descending)-1)]; v > 0 {
		return factor * v
	}
	return math.Inf(1)
}

// largestBlocks returns the largest values of the blocks of a history, at most most, in descending
// order.
func largestBlocks(history []float64, length, most int) []float64 {
	largest := make([]float64, 0, most+1) // in ascending order
	for block := range slices.Chunk(history, length) {
		top := math.Inf(-1)
		for _, v := range block {
			if v > top {
				top = v
			}
		}
		if len(largest) == most && top <= largest[0] {
			continue
		}
		i, _ := slices.BinarySearch(largest, top)
		if largest = slices.Insert(largest, i, top); len(largest) > most {
			largest = slices.Delete(largest, 0, 1)
		}
	}
	slices.Reverse(largest)
	return largest
}

// Screen tells absurd samples of a series from demand, one step after the other.
type Screen struct {
	limit   float64
	patient int // steps for which absurd demand is not believed
	run     int // absurd steps up to the newest one
}

// plainBlocks is how many of the newest blocks of a history [Plain] looks at, at least.
const plainBlocks = 64

// Plain reports whether a value at the end of a history is certainly demand. It looks at the newest
// part of the history only, so it costs little. False says nothing.
func Plain(step time.Duration, history []float64, v float64) bool {
	patient := patientSteps(step)
	few := max(single+len(history)/rarest, several)
	// These blocks are some of those that limit looks at, so the largest of them are not above the
	// largest of all.
	from := max(0, len(history)/patient-max(plainBlocks, 4*few)) * patient
	largest := largestBlocks(history[from:], patient, few+1)
	if len(largest) <= few {
		return false
	}
	return v <= math.Min(absurdFactor*largest[few], wildFactor*largest[several])
}

// patientSteps is for how many steps absurd demand is not believed.
func patientSteps(step time.Duration) int {
	if step <= 0 {
		return 1
	}
	return max(1, int(patience/step))
}

// NewScreen returns a Screen for steps of a length that follow, or are, the history.
func NewScreen(step time.Duration, history []float64) Screen {
	patient := patientSteps(step)
	return Screen{limit: limit(history, patient), patient: patient}
}

// Absurd takes the next step into account, and reports whether its value is not to be believed.
func (s *Screen) Absurd(v float64) bool {
	switch {
	case v > s.limit:
		s.run++
		return s.run <= s.patient
	case !math.IsNaN(v):
		s.run = 0
	}
	return false
}

// Screened returns a series with gaps in place of its absurd samples, and the steps where these
// are. Without one, it returns the series itself.
func Screened(step time.Duration, values []float64) (screened []float64, absurd []int) {
	screen := NewScreen(step, values)
	if math.IsInf(screen.limit, 1) {
		return values, nil
	}
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
	return screened, absurd
}
