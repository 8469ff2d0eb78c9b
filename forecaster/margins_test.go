package forecaster

import (
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/stats"
	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// An estimate for half a day ahead is what is served while there is no newer one. It is as wide as
// the errors at that distance have been: enough to cover, and not much more than a new one.
func TestDistantCoverIsAsWideAsItsErrors(t *testing.T) {
	values := synthetic.Weekdays(16)
	origin := 15*120 + 25
	f := mustNew(t, Options{
		Step: 2 * time.Second, Lead: 9, Horizon: 120, Contract: Contract{ServiceLevel: 0.95}, MaxHistory: 15 * 120,
		Periods: []time.Duration{4 * time.Minute, 28 * time.Minute},
	})
	s := Series{Start: time.Unix(1790000000, 0), Step: 2 * time.Second, Values: values[:origin]}
	if err := f.Start(s); err != nil {
		t.Fatal(err)
	}
	outlook := f.Outlook()
	covered, excess := 0, 0.0
	const steps = 60
	for i := range steps {
		need := stats.Max(values[origin+i : origin+i+10])
		if outlook.Cover[i] >= need {
			covered++
		}
		excess += outlook.Cover[i] / need / steps
	}
	if covered < steps*8/10 || excess > 1.15 {
		t.Errorf("%d of %d windows covered at %.2f times what they need, want at least 8 in 10 at 1.15 at most",
			covered, steps, excess)
	}
}
