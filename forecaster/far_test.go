package forecaster

import (
	"math"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// An estimate for half a day ahead, which is what is served while there is no fresh one, is as wide as the errors at that distance have
// been: enough to cover, and not much more than a fresh one.
func TestFarCoverIsAsWideAsItsErrors(t *testing.T) {
	values := synthetic.Weekdays(16)
	origin := 15*120 + 25
	f, err := New(Options{
		Step: 2 * time.Second, Lead: 9, Horizon: 120, Contract: Contract{ServiceLevel: 0.95}, MaxHistory: 15 * 120,
		Periods: []time.Duration{4 * time.Minute, 28 * time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Start(Series{Start: time.Unix(1790000000, 0), Step: 2 * time.Second, Values: values[:origin]}); err != nil {
		t.Fatal(err)
	}
	far := f.Outlook()
	covered, excess := 0, 0.0
	const steps = 60
	for i := range steps {
		top := 0.0
		for _, v := range values[origin+i : origin+i+10] {
			top = math.Max(top, v)
		}
		if far.Cover[i] >= top {
			covered++
		}
		excess += far.Cover[i] / top / steps
	}
	if covered < steps*8/10 || excess > 1.15 {
		t.Errorf("%d of %d windows covered at %.2f times what they need, want at least 8 in 10 at 1.15 at most", covered, steps, excess)
	}
}
