package forecaster

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

var epoch = time.Date(2026, 3, 2, 1, 30, 0, 0, time.UTC)

func mustNew(t testing.TB, o Options) *Forecaster {
	t.Helper()
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestUpdateEqualsStart(t *testing.T) {
	cases := map[string]struct {
		reason  string
		step    time.Duration
		n, part int
		history int
		lead    int
	}{
		"ten minutes": {"several fit instants are crossed", 10 * time.Minute, 1500, 700, 0, 2},
		"bounded":     {"old steps are dropped at a fit, not before", 10 * time.Minute, 1500, 700, 600, 2},
		"empty":       {"a series may begin empty", 10 * time.Minute, 700, 0, 0, 1},
		"two seconds": {"a young series is fitted as it grows", 2 * time.Second, 1500, 50, 0, 5},
		"odd step":    {"steps that do not divide a fit interval", 7 * time.Minute, 1500, 701, 0, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := synthetic.Wave(c.n, 144, 1)
			v[c.n-20] = math.NaN()
			o := Options{
				Step: c.step, Lead: c.lead, Horizon: 20, MaxHistory: c.history, Contract: Contract{ShortageCost: 20},
			}
			whole, parts := mustNew(t, o), mustNew(t, o)
			if err := whole.Start(Series{Start: epoch, Step: c.step, Values: v}); err != nil {
				t.Fatal(err)
			}
			if err := parts.Start(Series{Start: epoch, Step: c.step, Values: v[:c.part]}); err != nil {
				t.Fatal(err)
			}
			for _, u := range v[c.part:] {
				if err := parts.Update(u); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(whole.Outlook(), parts.Outlook()); diff != "" {
				t.Errorf("\nReason: %s\n-start, +updates:\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(whole.Describe(), parts.Describe()); diff != "" {
				t.Errorf("\nReason: %s\n-start, +updates:\n%s", c.reason, diff)
			}
		})
	}
}
