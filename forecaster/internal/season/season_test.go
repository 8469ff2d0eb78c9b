package season

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

func TestFind(t *testing.T) {
	cases := map[string]struct {
		reason string
		step   time.Duration
		n      int
		given  []time.Duration
		value  func(i int, rng *rand.Rand) float64
		want   Periods
	}{
		"compressed day": {
			reason: "a demonstration compresses a day into ten minutes: the period is found, and taken seven times for a week",
			step:   2 * time.Second, n: 4200,
			value: func(i int, rng *rand.Rand) float64 {
				return 100 + 60*math.Sin(2*math.Pi*float64(i)/300) + 10*rng.NormFloat64()
			},
			want: Periods{Day: 300, Week: 2100},
		},
		"four compressed days": {
			reason: "a period that was seen four times counts",
			step:   time.Second, n: 1000,
			value: func(i int, rng *rand.Rand) float64 {
				return 100 + 60*math.Sin(2*math.Pi*float64(i)/240) + 5*rng.NormFloat64()
			},
			want: Periods{Day: 240},
		},
		"compressed weekend": {
			reason: "a weekend among few days does not move the period",
			step:   2 * time.Second, n: 889,
			value: func(i int, _ *rand.Rand) float64 { return synthetic.Weekdays(8)[i] },
			want:  Periods{Day: 120},
		},
		"days and weeks": {
			reason: "the calendar's day and week, through noise, gaps, a trend and a level shift",
			step:   10 * time.Minute, n: 144 * 20,
			value: func(i int, rng *rand.Rand) float64 {
				if i%97 == 0 {
					return math.NaN()
				}
				v := 100 + 40*math.Sin(2*math.Pi*float64(i)/144) + 20*rng.NormFloat64() + float64(i)/50
				if i > 2000 {
					v *= 2
				}
				return max(0, v)
			},
			want: Periods{Day: 144, Week: 1008},
		},
		"six hours": {
			reason: "a period within the day is named beside it",
			step:   10 * time.Minute, n: 144 * 12,
			value: func(i int, rng *rand.Rand) float64 {
				return 100 + 60*math.Sin(2*math.Pi*float64(i)/36) + 5*rng.NormFloat64()
			},
			want: Periods{Sub: 36, Day: 144, Week: 1008},
		},
		"five hours": {
			reason: "a period that does not divide the day takes its place",
			step:   10 * time.Minute, n: 144 * 12,
			value: func(i int, rng *rand.Rand) float64 {
				return 100 + 60*math.Sin(2*math.Pi*float64(i)/31) + 5*rng.NormFloat64()
			},
			want: Periods{Day: 31, Week: 144},
		},
		"noise": {
			reason: "noise has no period, and less than a day and a half no day",
			step:   time.Minute, n: 1500,
			value: func(_ int, rng *rand.Rand) float64 { return 100 + 30*rng.NormFloat64() },
			want:  Periods{},
		},
		"constant": {
			reason: "what never moves has no period",
			step:   time.Minute, n: 1500,
			value: func(int, *rand.Rand) float64 { return 7 },
			want:  Periods{},
		},
		"given": {
			reason: "given periods are used as given",
			step:   time.Minute, n: 10, given: []time.Duration{7 * time.Hour, time.Hour},
			value: func(int, *rand.Rand) float64 { return 7 },
			want:  Periods{Day: 60, Week: 420},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			raw := make([]float64, c.n)
			for i := range raw {
				raw[i] = c.value(i, rng)
			}
			got := Find(c.step, c.given, raw)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", c.reason, diff)
			}
		})
	}
}
