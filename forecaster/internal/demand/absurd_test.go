package demand

import (
	"math"
	"slices"
	"testing"
	"time"
)

// usual returns demand around 100.
func usual(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 100 + 50*math.Sin(float64(i)/20)
	}
	return out
}

func TestScreened(t *testing.T) {
	nan := math.NaN()
	tests := map[string]struct {
		reason string
		step   time.Duration
		n      int // of steps, 1000 when it is 0
		change func(v []float64)
		absurd []int
	}{
		"None": {"nothing is beyond what is usual", time.Minute, 0, func([]float64) {}, nil},
		"One":  {"a counter was reset", time.Minute, 0, func(v []float64) { v[500] = 3e6 }, []int{500}},
		"Newest": {
			"at the end it is known to be absurd all the same", time.Minute, 0, func(v []float64) { v[999] = 3e6 },
			[]int{999},
		},
		"Two": {"two of different size", time.Minute, 0, func(v []float64) { v[10], v[500] = 3e6, 3e9 }, []int{10, 500}},
		"Gap": {
			"a gap is not absurd, and ends nothing", time.Minute, 0,
			func(v []float64) { v[10], v[11], v[12] = 1e9, nan, 1e9 },
			[]int{10, 12},
		},
		"Rate": {
			"a rate over five minutes shows it five times", time.Minute, 0,
			func(v []float64) { copy(v[503:], []float64{1e6, 1e6, 1e6, 1e6, 1e6}) },
			[]int{503, 504, 505, 506, 507},
		},
		"Tenfold": {"ten times the usual demand is demand", time.Minute, 0, func(v []float64) { v[500] = 1500 }, nil},
		"Repeated": {
			"what recurs is usual", time.Minute, 0, func(v []float64) { v[100], v[300], v[500] = 3e6, 3e6, 3e6 }, nil,
		},
		"SeveralWild": {
			"in a long history several are absurd where they are wild", 5 * time.Minute, 8000,
			func(v []float64) { v[100], v[300], v[500], v[700] = 3e6, 4e6, 3e7, 3e6 },
			[]int{100, 300, 500, 700},
		},
		"SeveralBursts": {
			"smaller ones that recur are bursts", 5 * time.Minute, 8000,
			func(v []float64) { v[100], v[300], v[500], v[700] = 5e4, 5e4, 5e4, 5e4 }, nil,
		},
		"Idle": {
			"a service without demand has no usual demand", time.Minute, 0, func(v []float64) { clear(v); v[500] = 1e6 },
			nil,
		},
		"StepOfDemand": {"demand that stays is believed", time.Minute, 0, func(v []float64) { scale(v[900:], 1e4) }, nil},
		"LongStep": {
			"a step of five minutes is as long as a glitch", 5 * time.Minute, 0, func(v []float64) { v[500] = 3e6 },
			[]int{500},
		},
		"LongStepTwice": {
			"the second of two is believed", 5 * time.Minute, 0, func(v []float64) { v[500], v[501] = 9e6, 9e6 },
			[]int{500},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			values := usual(max(1000, tc.n))
			tc.change(values)
			before := slices.Clone(values)
			screened, absurd := Screened(tc.step, values)
			if !slices.Equal(absurd, tc.absurd) {
				t.Errorf("\nReason: %s\nabsurd %v, want %v", tc.reason, absurd, tc.absurd)
			}
			for i := range values {
				if gap := math.IsNaN(screened[i]); gap != (math.IsNaN(before[i]) || slices.Contains(absurd, i)) {
					t.Errorf("step %d: gap %v", i, gap)
				}
			}
			if len(absurd) == 0 && &screened[0] != &values[0] {
				t.Error("a series without an absurd sample is copied")
			}
		})
	}
}

func scale(v []float64, by float64) {
	for i := range v {
		v[i] *= by
	}
}

// TestScreenBelievesWhatLasts follows a step of demand to a thousand times what was usual.
func TestScreenBelievesWhatLasts(t *testing.T) {
	screen := NewScreen(time.Minute, usual(1000))
	for i := range 20 {
		if got := screen.Absurd(1e5); got != (i < 5) {
			t.Errorf("minute %d: absurd %v", i, got)
		}
	}
	if screen.Absurd(100) || !screen.Absurd(1e5) {
		t.Error("back at the usual demand, the next absurd sample is not believed")
	}
}
