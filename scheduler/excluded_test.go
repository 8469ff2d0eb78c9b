package scheduler

import (
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// Days that are excluded begin and end at midnight on the schedule's own wall clock.
func TestExcluded(t *testing.T) {
	daily := []v1alpha1.PeakWindow{{
		Name: "noon", Schedule: "0 12 * * *", Duration: "1h", Demand: v1alpha1.PeakDemand{Replicas: new(int32(5))},
	}}
	day := &v1alpha1.Days{Dates: []string{"2026-11-26"}}
	excluding := v1alpha1.PeakScheduleSpec{Except: day}
	at := func(text string) time.Time {
		out, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, tc := range map[string]struct {
		reason   string
		spec     v1alpha1.PeakScheduleSpec
		from, to string
		want     bool
	}{
		"within": {"a part of the day", excluding, "2026-11-26T17:00:00Z", "2026-11-26T18:00:00Z", true},
		"around": {"the day is within the span", excluding, "2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z", true},
		"before": {"in New York it is the day before", excluding, "2026-11-26T04:00:00Z", "2026-11-26T05:00:00Z", false},
		"begins": {"it is midnight in New York", excluding, "2026-11-26T05:00:00Z", "2026-11-26T06:00:00Z", true},
		"after":  {"the end does not count", excluding, "2026-11-27T05:00:00Z", "2026-11-28T05:00:00Z", false},
		"only": {
			"days on which windows may start are not exceptions",
			v1alpha1.PeakScheduleSpec{Only: day},
			"2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", false,
		},
		"empty": {"a span without time", excluding, "2026-11-26T17:00:00Z", "2026-11-26T17:00:00Z", false},
		"far":   {"after the years that are evaluated", excluding, "2300-01-01T00:00:00Z", "2300-02-01T00:00:00Z", false},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.TimeZone, tc.spec.Windows = "America/New_York", daily
			if got := compileSpec(t, tc.spec).Excluded(at(tc.from), at(tc.to)); got != tc.want {
				t.Errorf("%s: %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}
