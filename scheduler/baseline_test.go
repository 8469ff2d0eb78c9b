package scheduler

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"headstart.dev/headstart/api/v1alpha1"
)

// hours returns the values of a day, one for each hour.
func hours(value func(hour int) float64) []float64 {
	values := make([]float64, 24)
	for hour := range values {
		values[hour] = value(hour)
	}
	return values
}

var baselines = map[string]struct {
	reason string
	window v1alpha1.PeakWindow
	values []float64
	want   []float64
}{
	"RecurringMultiply": {
		reason: "the forecaster sees the demand without the peak, so that the peak is not applied twice",
		window: v1alpha1.PeakWindow{Schedule: "0 12 * * *", Duration: "2h", Demand: multiply("3")},
		values: hours(func(hour int) float64 {
			if hour == 12 || hour == 13 {
				return 300
			}
			return 100
		}),
		want: hours(func(int) float64 { return 100 }),
	},
	"HalfAStep": {
		reason: "a step of which half lies in a ×3 window saw twice the demand on the whole",
		window: v1alpha1.PeakWindow{Schedule: "30 12 * * *", Duration: "30m", Demand: multiply("3")},
		values: hours(func(hour int) float64 {
			if hour == 12 {
				return 200
			}
			return 100
		}),
		want: hours(func(int) float64 { return 100 }),
	},
	"RecurringAdd": {
		reason: "an addition is taken off, never below 0",
		window: v1alpha1.PeakWindow{
			Schedule: "0 12 * * *", Duration: "1h", Demand: v1alpha1.PeakDemand{Add: quantity("150")},
		},
		values: hours(func(int) float64 { return 100 }),
		want: hours(func(hour int) float64 {
			if hour == 12 {
				return 0
			}
			return 100
		}),
	},
	"OneOff": {
		reason: "what happens once is a gap, with its ramps",
		window: v1alpha1.PeakWindow{
			Start: "2026-06-01T12:00", Duration: "1h", RampDown: new(v1alpha1.Duration("10m")),
			Demand: multiply("3"),
		},
		values: hours(func(int) float64 { return 100 }),
		want: hours(func(hour int) float64 {
			if hour == 12 || hour == 13 {
				return math.NaN()
			}
			return 100
		}),
	},
	"NextToNothing": {
		reason: "a thousandth of the demand says nothing about the demand",
		window: v1alpha1.PeakWindow{Schedule: "0 12 * * *", Duration: "1h", Demand: multiply("0.001")},
		values: hours(func(int) float64 { return 100 }),
		want: hours(func(hour int) float64 {
			if hour == 12 {
				return math.NaN()
			}
			return 100
		}),
	},
	"Limits": {
		reason: "a minimum says nothing about how demand arose",
		window: v1alpha1.PeakWindow{Schedule: "0 12 * * *", Duration: "1h", Demand: atLeast("500")},
		values: hours(func(hour int) float64 { return float64(hour) }),
		want:   hours(func(hour int) float64 { return float64(hour) }),
	},
}

func TestBaseline(t *testing.T) {
	start := instant(t, "2026-06-01T00:00:00Z")
	for name, tc := range baselines {
		t.Run(name, func(t *testing.T) {
			s := compile(t, "UTC", tc.window)
			got := Baseline([]*Schedule{s}, start, time.Hour, tc.values)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateApprox(1e-12, 0), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestManyFactorsStayFinite multiplies the smallest and the largest factors that are valid.
func TestManyFactorsStayFinite(t *testing.T) {
	start := instant(t, "2026-06-01T00:00:00Z")
	for _, factor := range []string{"0.00000000000000001", "0.2", "1000"} {
		var windows []v1alpha1.PeakWindow
		for range 64 {
			windows = append(windows,
				v1alpha1.PeakWindow{
					Name: fmt.Sprintf("w%d", len(windows)), Schedule: "* * * * *", Duration: "10y",
					Demand: multiply(factor),
				})
		}
		s := []*Schedule{compile(t, "UTC", windows...), compile(t, "UTC", windows...)}
		for _, value := range Baseline(s, start, time.Hour, []float64{0, 5, 1e12, math.NaN()}) {
			if math.IsInf(value, 0) || value < 0 {
				t.Errorf("×%s 128 times: the forecaster would be given %v", factor, value)
			}
		}
		value := Undisturbed(s, start, time.Hour, []float64{0, 5, 1e12}, start.Add(3*time.Hour))
		if math.IsInf(value, 0) || value < 0 {
			t.Errorf("×%s 128 times: the base is %v", factor, value)
		}
	}
}

// TestSaleUnderWayStaysThreefold follows a sale with a factor of 3. The forecaster learns the level
// without it.
func TestSaleUnderWayStaysThreefold(t *testing.T) {
	s := compile(t, "UTC", v1alpha1.PeakWindow{Schedule: "0 0 * * 5", Duration: "3d", Demand: multiply("3")})
	start := instant(t, "2026-06-05T00:00:00Z")
	level := 100.0
	for i := range 3 * 24 {
		at := start.Add(time.Duration(i) * time.Hour)
		observed := 300.0
		seen := Baseline([]*Schedule{s}, at, time.Hour, []float64{observed})
		level += 0.5 * (seen[0] - level)
		if served := s.At(at.Add(time.Hour-1)).Apply(level, 1); math.Abs(served-300) > 1e-9 {
			t.Fatalf("after %d hours of a ×3 sale %v is served, want 300", i, served)
		}
	}
}
