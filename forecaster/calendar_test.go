package forecaster

import (
	"math"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

func TestNamedDayRecurs(t *testing.T) {
	start := time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC)
	o := Options{Step: time.Hour, Lead: 1, Horizon: 48, Contract: Contract{ShortageCost: 20}}
	v := synthetic.Wave(24*90, 24, 4)
	for _, d := range []int{30, 60, 90} {
		from := start.AddDate(0, 0, d)
		o.Days = append(o.Days, Day{Name: "sale", Start: from, End: from.AddDate(0, 0, 1)})
		if d < 90 {
			for i := 24 * d; i < 24*(d+1); i++ {
				v[i] *= 3
			}
		}
	}
	s := Series{Start: start, Step: time.Hour, Values: v}
	on := outlookOf(t, s, o)
	o.Days = nil
	off := outlookOf(t, s, o)
	for i := 2; i < 22; i++ {
		if r := on.Median[i] / off.Median[i]; r < 2 || r > 3.5 {
			t.Errorf("hour %d of the sale: %g times the plain forecast, want nearly 3", i, r)
		}
	}
	for i := 26; i < 46; i++ {
		if r := on.Median[i] / off.Median[i]; math.Abs(r-1) > 0.15 {
			t.Errorf("hour %d, after the sale: %g times the plain forecast, want the same", i, r)
		}
	}
}
