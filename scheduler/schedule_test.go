package scheduler

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

func quantity(s string) *resource.Quantity {
	q := resource.MustParse(s)
	return &q
}

func atLeast(s string) v1alpha1.PeakDemand { return v1alpha1.PeakDemand{AtLeast: quantity(s)} }

func multiply(s string) v1alpha1.PeakDemand {
	return v1alpha1.PeakDemand{Multiply: new(v1alpha1.Decimal(s))}
}

// compile compiles windows in a zone. The test fails where that is not possible.
func compile(t testing.TB, zone string, windows ...v1alpha1.PeakWindow) *Schedule {
	t.Helper()
	for i := range windows {
		if windows[i].Name == "" {
			windows[i].Name = "w" + string(rune('a'+i))
		}
	}
	return compileSpec(t, v1alpha1.PeakScheduleSpec{TimeZone: v1alpha1.TimeZone(zone), Windows: windows})
}

// compileSpec compiles windows without a bound of their changes. What is refused is evaluated
// correctly too.
func compileSpec(t testing.TB, spec v1alpha1.PeakScheduleSpec) *Schedule {
	t.Helper()
	var c compiler
	s := c.schedule("test", spec)
	if err := c.err(); err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return s
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

var clockChanges = map[string]struct {
	reason   string
	zone     string
	cron     string
	from, to string
	want     []string
}{
	"SpringGap": {
		reason: "02:30 does not exist on 8 March 2026: the window begins at the change, 03:00 EDT",
		zone:   "America/New_York", cron: "30 2 * * *",
		from: "2026-03-07T12:00:00Z", to: "2026-03-10T00:00:00Z",
		want: []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
	},
	"SpringGapOnce": {
		reason: "four skipped times and the first one after the change are one start",
		zone:   "America/New_York", cron: "*/15 2,3 8 3 *",
		from: "2026-03-07T12:00:00Z", to: "2026-03-09T00:00:00Z",
		want: []string{
			"2026-03-08T03:00:00-04:00", "2026-03-08T03:15:00-04:00",
			"2026-03-08T03:30:00-04:00", "2026-03-08T03:45:00-04:00",
		},
	},
	"AutumnFold": {
		reason: "01:30 comes twice on 1 November 2026: the first one counts, once",
		zone:   "America/New_York", cron: "30 1 * * *",
		from: "2026-10-31T12:00:00Z", to: "2026-11-03T00:00:00Z",
		want: []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"},
	},
	"AutumnFoldElapsed": {
		reason: "an hour field of * follows elapsed time: both 01:00 count",
		zone:   "America/New_York", cron: "0 * * * *",
		from: "2026-11-01T03:59:00Z", to: "2026-11-01T07:30:00Z",
		want: []string{
			"2026-11-01T00:00:00-04:00", "2026-11-01T01:00:00-04:00",
			"2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00",
		},
	},
	"SpringGapElapsed": {
		reason: "an hour field of */2 follows elapsed time: there is no 02:00",
		zone:   "America/New_York", cron: "0 */2 * * *",
		from: "2026-03-08T04:30:00Z", to: "2026-03-08T10:30:00Z",
		want: []string{"2026-03-08T00:00:00-05:00", "2026-03-08T04:00:00-04:00", "2026-03-08T06:00:00-04:00"},
	},
	"MidnightGap": {
		reason: "Cairo has no midnight on 24 April 2026; the day's window begins at 01:00",
		zone:   "Africa/Cairo", cron: "0 0 * * *",
		from: "2026-04-23T12:00:00Z", to: "2026-04-25T00:00:00Z",
		want: []string{"2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"},
	},
	"HalfHourShift": {
		reason: "Lord Howe goes from 02:00 to 02:30 on 4 October 2026, and the next midnight is not lost",
		zone:   "Australia/Lord_Howe", cron: "0 0,2 * * *",
		from: "2026-10-03T14:00:00Z", to: "2026-10-05T00:00:00Z",
		want: []string{
			"2026-10-04T02:30:00+11:00", "2026-10-05T00:00:00+11:00", "2026-10-05T02:00:00+11:00",
		},
	},
	"MissingDay": {
		reason: "Apia skipped 30 December 2011: its noon is the instant of the change",
		zone:   "Pacific/Apia", cron: "0 12 * * *",
		from: "2011-12-29T20:00:00Z", to: "2012-01-01T12:00:00Z",
		want: []string{
			"2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00",
			"2011-12-31T12:00:00+14:00", "2012-01-01T12:00:00+14:00",
		},
	},
	"DayOfMonthOrWeekday": {
		reason: "both day fields are restricted, so either is enough",
		zone:   "UTC", cron: "0 0 1,15 * 1",
		from: "2026-06-01T12:00:00Z", to: "2026-06-16T12:00:00Z",
		want: []string{"2026-06-08T00:00:00Z", "2026-06-15T00:00:00Z"},
	},
	"SundayAsSeven": {
		reason: "7 is Sunday, at the end of a range too",
		zone:   "UTC", cron: "0 0 * * 6-7",
		from: "2026-06-01T00:00:00Z", to: "2026-06-09T00:00:00Z",
		want: []string{"2026-06-06T00:00:00Z", "2026-06-07T00:00:00Z"},
	},
	"LeapDay": {
		reason: "2100 is no leap year",
		zone:   "UTC", cron: "0 0 29 2 *",
		from: "2095-01-01T00:00:00Z", to: "2105-01-01T00:00:00Z",
		want: []string{"2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
	},
}

func TestStartsAroundClockChanges(t *testing.T) {
	for name, tc := range clockChanges {
		t.Run(name, func(t *testing.T) {
			s := compile(t, tc.zone, v1alpha1.PeakWindow{Schedule: tc.cron, Duration: "1m", Demand: atLeast("1")})
			var got []string
			at := instant(t, tc.from)
			for {
				next := s.Next(at, 1)
				if len(next) == 0 || next[0].Start.After(instant(t, tc.to)) {
					break
				}
				at = next[0].Start
				got = append(got, at.Format(time.RFC3339))
				if active := s.Active(at); len(active) != 1 || !active[0].Start.Equal(at) {
					t.Errorf("\nReason: %s\nat %s Active is %v", tc.reason, at, active)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got\n%s", tc.reason, diff)
			}
		})
	}
}
