package demand

import (
	"math"
	"math/rand/v2"
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
		"Two": {"two of different size", time.Minute, 0, func(v []float64) { v[20], v[500] = 3e6, 3e9 }, []int{20, 500}},
		"Gap": {
			"a gap is not absurd, and ends nothing", time.Minute, 0,
			func(v []float64) { v[20], v[21], v[22] = 1e9, nan, 1e9 },
			[]int{20, 22},
		},
		"Rate": {
			"a rate over five minutes shows it five times", time.Minute, 0,
			func(v []float64) { copy(v[503:], []float64{1e6, 1e6, 1e6, 1e6, 1e6}) },
			[]int{503, 504, 505, 506, 507},
		},
		"Sevenfold": {"seven times the usual demand is demand", time.Minute, 0, func(v []float64) { v[500] = 1050 }, nil},
		"Tenfold":   {"ten times is not", time.Minute, 0, func(v []float64) { v[500] = 1500 }, []int{500}},
		"Repeated": {
			"one a day stays absurd, since none is believed", 5 * time.Minute, 8000,
			func(v []float64) { v[100], v[300], v[500], v[700] = 3e6, 5e4, 3e7, 3e6 },
			[]int{100, 300, 500, 700},
		},
		"First": {"nothing is usual yet", time.Minute, 0, func(v []float64) { v[5] = 3e6 }, nil},
		"Burst": {
			"a burst of minutes is believed from the third on", time.Minute, 0,
			func(v []float64) { scale(v[500:510], 15) },
			[]int{500, 501},
		},
		"RareJob": {
			"a job from idle is usual once it has run", time.Minute, 5000,
			func(v []float64) {
				clear(v)
				for i := 500; i+10 < len(v); i += 1440 {
					scale(v[i:i+10], 0)
					for k := i; k < i+10; k++ {
						v[k] = 1e4
					}
				}
			}, nil,
		},
		"Idle": {
			"a service without demand has no usual demand", time.Minute, 0, func(v []float64) { clear(v); v[500] = 1e6 },
			nil,
		},
		"StepOfDemand": {
			"demand that stays is believed after five minutes", time.Minute, 0, func(v []float64) { scale(v[900:], 1e4) },
			[]int{900, 901, 902, 903, 904},
		},
		"LongStep": {
			"a step of five minutes is as long as a glitch", 5 * time.Minute, 0, func(v []float64) { v[500] = 3e6 },
			[]int{500},
		},
		"LongStepTwice": {
			"the third is believed", 5 * time.Minute, 0, func(v []float64) { v[500], v[501], v[502] = 9e6, 9e6, 9e6 },
			[]int{500, 501},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			values := usual(max(1000, tc.n))
			tc.change(values)
			before := slices.Clone(values)
			screened, absurd, _ := Screened(tc.step, values)
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
	_, _, screen := Screened(time.Minute, usual(1000))
	for i := range 12 {
		if got := screen.Absurd(1e5); got != (i < 5) {
			t.Errorf("minute %d: absurd %v", i, got)
		}
	}
	if screen.Absurd(100) || !screen.Absurd(1e5) {
		t.Error("back at the usual demand, the next absurd sample is not believed")
	}
}

// What Plain calls demand is never absurd, wherever the series ends.
func TestPlainIsNeverAbsurd(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 300 {
		values := usual(40 + rng.IntN(2000))
		for range rng.IntN(6) {
			from := rng.IntN(len(values))
			scale(values[from:min(len(values), from+1+rng.IntN(12))], math.Pow(10, 5*rng.Float64()-1))
		}
		step := []time.Duration{15 * time.Second, time.Minute, 10 * time.Minute}[rng.IntN(3)]
		_, absurd, _ := Screened(step, values)
		if !Plain(step, values) {
			continue
		}
		plain++
		if slices.Contains(absurd, len(values)-1) {
			t.Fatalf("the newest of %d samples is plain and absurd", len(values))
		}
	}
	if plain < 100 {
		t.Errorf("only %d of 300 series end plainly", plain)
	}
}
