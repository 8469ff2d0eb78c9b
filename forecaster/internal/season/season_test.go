package season

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// demandAt is the demand of step i.
type demandAt func(i int, rng *rand.Rand) float64

// steps returns the demand of n steps.
func (d demandAt) steps(n int) []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]float64, n)
	for i := range out {
		out[i] = d(i, rng)
	}
	return out
}

// sine has a period in steps, and noise of so many units.
func sine(period, noise float64) demandAt {
	return func(i int, rng *rand.Rand) float64 {
		return 100 + 60*math.Sin(2*math.Pi*float64(i)/period) + noise*rng.NormFloat64()
	}
}

func constant(int, *rand.Rand) float64 { return 7 }

// disturbed is a day of 144 steps with noise, gaps, a trend and a level shift.
func disturbed(i int, rng *rand.Rand) float64 {
	if i%97 == 0 {
		return math.NaN()
	}
	v := 100 + 40*math.Sin(2*math.Pi*float64(i)/144) + 20*rng.NormFloat64() + float64(i)/50
	if i > 2000 {
		v *= 2
	}
	return max(0, v)
}

func TestFind(t *testing.T) {
	cases := map[string]struct {
		reason string
		step   time.Duration
		n      int
		demand demandAt
		want   Periods
	}{
		"compressed day": {
			"a demonstration compresses a day into ten minutes: the period is found, and a week is seven of it",
			2 * time.Second, 4200, sine(300, 10),
			Periods{Day: 300, Week: 2100},
		},
		"four compressed days": {
			"a period that was seen four times counts",
			time.Second, 1000, sine(240, 5),
			Periods{Day: 240},
		},
		"compressed weekend": {
			"a weekend among few days does not move the period",
			2 * time.Second, 889, func(i int, _ *rand.Rand) float64 { return synthetic.Weekdays(8)[i] },
			Periods{Day: 120},
		},
		"days and weeks": {
			"the calendar's day and week, through noise, gaps, a trend and a level shift",
			10 * time.Minute, 144 * 20, disturbed,
			Periods{Day: 144, Week: 1008},
		},
		"six hours": {
			"a period within the day is named beside it",
			10 * time.Minute, 144 * 12, sine(36, 5),
			Periods{Sub: 36, Day: 144, Week: 1008},
		},
		"five hours": {
			"a period that does not divide the day takes its place",
			10 * time.Minute, 144 * 12, sine(31, 5),
			Periods{Day: 31, Week: 144},
		},
		"noise": {
			"noise has no period, and less than a day and a half no day",
			time.Minute, 1500, func(_ int, rng *rand.Rand) float64 { return 100 + 30*rng.NormFloat64() },
			Periods{},
		},
		"constant": {
			"constant demand has no period",
			time.Minute, 1500, constant,
			Periods{},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Find(c.step, nil, c.demand.steps(c.n))); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", c.reason, diff)
			}
		})
	}
}

func TestGivenPeriodsAreUsed(t *testing.T) {
	got := Find(time.Minute, []time.Duration{7 * time.Hour, time.Hour}, []float64{7, 7, 7, 7, 7, 7, 7, 7, 7, 7})
	if want := (Periods{Day: 60, Week: 420}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
