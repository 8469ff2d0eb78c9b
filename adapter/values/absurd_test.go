package values

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	clocktesting "k8s.io/utils/clock/testing"
)

// TestOneAbsurdPollIsNoFloor polls every half minute, with one capacity and a plan of 50.
func TestOneAbsurdPollIsNoFloor(t *testing.T) {
	const usual, absurd, tenfold = 40.0, 3e6, 500.0
	repeat := func(v float64, n int) (out []float64) {
		for range n {
			out = append(out, v)
		}
		return out
	}
	cases := map[string]struct {
		reason string
		polls  []float64
		want   int64 // what is served after the last poll
	}{
		"Usual":     {"the plan is above it", []float64{usual}, 50_000},
		"Tenfold":   {"demand that is ten times the plan is served at once", []float64{usual, tenfold}, 500_000},
		"Absurd":    {"one that is a thousand times the plan is not", []float64{60, absurd}, 60_000},
		"AbsurdFor": {"nor for the time of a rate", append([]float64{60}, repeat(absurd, 9)...), 60_000},
		"Over":      {"afterwards everything is as before", []float64{60, absurd, 70}, 70_000},
		"Stays":     {"what stays is demand", append([]float64{60}, repeat(absurd, 11)...), 3_000_000_000},
		"First":     {"nothing is known before it", []float64{absurd}, 50_000},
		"Little":    {"what some replicas serve is believed", []float64{0, 290}, 290_000},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			capacity := resource.MustParse("10")
			fc := withPlan(forecast(), 50, time.Hour)
			fc.Spec.CapacityPerReplica = &capacity
			values := map[string]float64{}
			o := newTestObserver(values)
			clock := clocktesting.NewFakeClock(epoch)
			o.clock = clock
			p := NewPlans(o, parse)
			p.store(fc)
			key := named("fc")
			for _, v := range c.polls {
				clock.Step(30 * time.Second)
				values[o.queries[key].Expr] = v
				o.poll(t.Context(), key, o.queries[key].Query)
			}
			got, err := p.Value("shop", "fc", clock.Now())
			if err != nil || got.Milli != c.want {
				t.Errorf("%s: served %d m, %v, want %d m", c.reason, got.Milli, err, c.want)
			}
		})
	}
}
