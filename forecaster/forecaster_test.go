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
		"ten minutes":    {reason: "several fit instants are crossed", step: 10 * time.Minute, n: 1500, part: 700, lead: 2},
		"bounded":        {reason: "old steps are dropped at a fit, not before", step: 10 * time.Minute, n: 1500, part: 700, history: 600, lead: 2},
		"from nothing":   {reason: "a series may begin empty", step: 10 * time.Minute, n: 700, part: 0, lead: 1},
		"two seconds":    {reason: "a young series is fitted as it grows", step: 2 * time.Second, n: 1500, part: 50, lead: 5},
		"odd beginnings": {reason: "steps that do not divide a fit interval", step: 7 * time.Minute, n: 1500, part: 701, lead: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := synthetic.Wave(c.n, 144, 1)
			v[c.n-20] = math.NaN()
			o := Options{Step: c.step, Lead: c.lead, Horizon: 20, MaxHistory: c.history, Contract: Contract{ShortageCost: 20}}
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
