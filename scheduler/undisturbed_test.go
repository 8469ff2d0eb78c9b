package scheduler

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"headstart.dev/headstart/api/v1alpha1"
)

var undisturbedTests = map[string]struct {
	reason  string
	windows []v1alpha1.PeakWindow
	at      string
	want    float64
}{
	"NoneIsOn": {
		"what is observed is not disturbed",
		[]v1alpha1.PeakWindow{{Schedule: "0 12 * * *", Duration: "2h", Demand: multiply("3")}},
		"2026-06-01T11:30:00Z", math.NaN(),
	},
	"UnderWay": {
		"the demand of the last hour before the start",
		[]v1alpha1.PeakWindow{{Schedule: "0 12 * * *", Duration: "2h", Demand: multiply("3")}},
		"2026-06-01T13:30:00Z", 111,
	},
	"OnTheWayUp": {
		"demand rises with the ramp: the hour before the ramp counts",
		[]v1alpha1.PeakWindow{
			{Schedule: "0 12 * * *", Duration: "2h", RampUp: new(v1alpha1.Duration("1h")), Demand: multiply("3")},
		},
		"2026-06-01T11:30:00Z", 110,
	},
	"OnTheWayDown": {
		"demand has not fallen yet",
		[]v1alpha1.PeakWindow{
			{Schedule: "0 12 * * *", Duration: "2h", RampDown: new(v1alpha1.Duration("1h")), Demand: multiply("3")},
		},
		"2026-06-01T14:30:00Z", 111,
	},
	"OneAfterTheOther": {
		"windows that touch are one stretch",
		[]v1alpha1.PeakWindow{
			{Schedule: "0 12 * * *", Duration: "2h", Demand: multiply("3")}, {
				Schedule: "0 14 * * *", Duration: "2h", Demand: v1alpha1.PeakDemand{Add: quantity("5")},
			},
		},
		"2026-06-01T15:30:00Z", 111,
	},
	"MinimumsDisturbNothing": {
		"a minimum of days does not move the base into the past",
		[]v1alpha1.PeakWindow{
			{
				Schedule: "0 12 * * *", Duration: "2h", Demand: multiply("3"),
			}, {Schedule: "0 2 * * *", Duration: "20h", Demand: atLeast("5")},
		},
		"2026-06-01T13:30:00Z", 111,
	},
	"GapBefore": {
		"the last value that is known",
		[]v1alpha1.PeakWindow{{Schedule: "0 8 * * *", Duration: "2h", Demand: multiply("3")}},
		"2026-06-01T08:30:00Z", 106,
	},
	"BeganBeforeTheSeries": {
		"the newest value, less its peak",
		[]v1alpha1.PeakWindow{{Start: "2026-05-31T12:00", Duration: "2d", Demand: multiply("2")}},
		"2026-06-01T11:00:00Z", 55,
	},
	"AlwaysOn": {
		"the search ends",
		[]v1alpha1.PeakWindow{{Schedule: "* * * * *", Duration: "1m", Demand: multiply("2")}},
		"2026-06-01T11:00:00Z", 55,
	},
	"BeforeTheSeries": {
		"nothing is known",
		[]v1alpha1.PeakWindow{{Start: "2026-05-31T12:00", Duration: "2d", Demand: multiply("2")}},
		"2026-05-31T13:00:00Z", math.NaN(),
	},
}

func TestUndisturbed(t *testing.T) {
	start := instant(t, "2026-06-01T00:00:00Z")
	// Each hour has a value of its own, which shows what hour the result is from.
	values := make([]float64, 24)
	for hour := range values {
		values[hour] = 100 + float64(hour)
	}
	values[7] = math.NaN()
	for name, tc := range undisturbedTests {
		t.Run(name, func(t *testing.T) {
			got := Undisturbed([]*Schedule{compile(t, "UTC", tc.windows...)}, start, time.Hour, values, instant(t, tc.at))
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestNextChangeIsWhereStatusChanges walks from change to change, and compares with every second.
func TestNextChangeIsWhereStatusChanges(t *testing.T) {
	s := compile(t, "Europe/Berlin",
		v1alpha1.PeakWindow{
			Schedule: "0 12 * * *", Duration: "90m", RampUp: new(v1alpha1.Duration("5m")), Demand: multiply("3"),
		},
		v1alpha1.PeakWindow{Schedule: "30 * * * *", Duration: "10m", Demand: atLeast("3")},
		v1alpha1.PeakWindow{
			Start: "2026-06-01T13:00", Duration: "1h", RampDown: new(v1alpha1.Duration("7m")),
			Demand: multiply("3"),
		},
	)
	from, to := instant(t, "2026-06-01T09:50:00Z"), instant(t, "2026-06-01T12:20:00Z")
	say := func(at time.Time) any { return []any{s.Active(at), s.Next(at, 3), s.Expired(at)} }
	want := map[time.Time]bool{}
	for at := from.Add(time.Second); at.Before(to); at = at.Add(time.Second) {
		if !cmp.Equal(say(at), say(at.Add(-time.Second))) {
			want[at] = true
		}
	}
	got := map[time.Time]bool{}
	for at, ok := s.NextChange(from); ok && at.Before(to); at, ok = s.NextChange(at) {
		got[at.UTC()] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 8 {
		t.Errorf("-every second, +NextChange\n%s", diff)
	}
	over := compile(t, "UTC", v1alpha1.PeakWindow{Start: "2026-06-01T13:00", Duration: "1h", Demand: multiply("3")})
	if at, ok := over.NextChange(instant(t, "2026-06-01T14:00:00Z")); ok {
		t.Errorf("what is over changes at %s", at)
	}
}

func TestNeedsNamesWhatSaysNothingAlone(t *testing.T) {
	replicas := v1alpha1.PeakDemand{Replicas: new(int32(4))}
	s := compile(t, "UTC",
		v1alpha1.PeakWindow{Name: "alone", Schedule: "0 12 * * *", Duration: "1h", Demand: atLeast("3")},
		v1alpha1.PeakWindow{Name: "times", Schedule: "0 12 * * *", Duration: "1h", Demand: multiply("3")},
		v1alpha1.PeakWindow{Name: "pods", Schedule: "0 12 * * *", Duration: "1h", Demand: replicas},
		v1alpha1.PeakWindow{Name: "over", Start: "2026-01-01T00:00", Duration: "1h", Demand: replicas},
	)
	capacity, forecast := s.Needs(instant(t, "2026-06-01T00:00:00Z"))
	if diff := cmp.Diff([][]string{{"pods"}, {"times"}}, [][]string{capacity, forecast}); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}
