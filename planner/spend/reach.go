package spend

import (
	"math"
	"time"
)

const (
	// bins is how many parts the values of Keep are divided into: four up to Expected, where levels
	// are low, and eight from there on.
	lowBins, highBins = 4, 8
	bins              = lowBins + highBins
	// fewWindows is how many lead windows it takes to say which level can be reached.
	fewWindows = 20
)

// reach counts which part of lead windows each Keep would have covered. It looks at windows that do
// not overlap. Older ones count less: a week ago, 1/e.
type reach struct {
	// never counts the windows that nothing would have covered, and observed those that observed
	// demand did. Each of needed counts those that need a Keep within one bin.
	never, observed float64
	needed          [bins]float64

	window  Window    // under way; of no steps where none is
	largest float64   // demand in it so far
	begun   time.Time // the beginning of it
	seen    int       // how many of its steps are known
}

// observe takes the demand of a step into account. before is when the last step began; a window
// with a missing step is not counted.
func (r *reach) observe(s Step, before time.Time) {
	if r.window.Steps > 0 && s.At.Sub(before) != s.Length {
		r.window = Window{}
	}
	if r.window.Steps > 0 {
		r.largest = max(r.largest, s.Demand)
		if r.seen++; r.seen >= r.window.Steps {
			r.score(s.At.Sub(r.begun))
		}
	}
	if r.window.Steps == 0 && s.Window.Steps > 0 {
		r.window, r.begun, r.largest, r.seen = s.Window, s.At, 0, 0
	}
}

// score counts the window under way, which has ended.
func (r *reach) score(length time.Duration) {
	fade := math.Exp(-float64(length) / float64(week))
	r.never *= fade
	r.observed *= fade
	for i := range r.needed {
		r.needed[i] *= fade
	}
	switch keep := needed(r.largest, r.window); {
	case keep <= Nothing:
		r.observed++
	case keep > All:
		r.never++
	default:
		r.needed[binOf(keep)]++
	}
	r.window = Window{}
}

// binOf returns the bin of a Keep above Nothing and up to All.
func binOf(k Keep) int {
	if k <= Expected {
		return min(lowBins-1, int(lowBins*k))
	}
	return lowBins + min(highBins-1, int(highBins*(k-Expected)))
}

// level returns the share of lead windows that a Keep would have covered; NaN where too few were
// seen.
func (r *reach) level(k Keep) float64 {
	total := r.never + r.observed
	for _, n := range r.needed {
		total += n
	}
	if total < fewWindows {
		return math.NaN()
	}
	covered := r.observed
	for i, n := range r.needed {
		from, width := Keep(i)/lowBins, Keep(1.0/lowBins)
		if i >= lowBins {
			from, width = Expected+Keep(i-lowBins)/highBins, Keep(1.0/highBins)
		}
		covered += n * float64(min(1, max(0, (k-from)/width)))
	}
	return covered / total
}
