package icalendar

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

func TestReadHolidays(t *testing.T) {
	file, err := os.Open("testdata/holidays.ics")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, err := Read(file, Options{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	want := Result{
		Spec: v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{
			{Name: "Christmas, both days", Yearly: &v1alpha1.YearlyRule{Month: 12, Day: new(int32(25))}},
			{Name: "Christmas, both days", Yearly: &v1alpha1.YearlyRule{Month: 12, Day: new(int32(26))}},
			{Name: "Easter Monday", Dates: []string{"2026-04-06"}},
			{Name: "Inauguration Day", Dates: []string{"2033-01-20"}},
			{Name: "Memorial Day", Yearly: &v1alpha1.YearlyRule{Month: 5, Weekday: new("Monday"), Nth: new(int32(-1))}},
			{Name: "Spring Festival", Dates: []string{"2026-02-17/2026-02-23", "2027-02-06/2027-02-12"}},
			{Name: "Thanksgiving", Yearly: &v1alpha1.YearlyRule{Month: 11, Weekday: new("Thursday"), Nth: new(int32(4))}},
		}},
		Notes: []string{
			`Easter Monday: only 2026-04-06 is kept, for the recurrence "FREQ=YEARLY;BYEASTER=1" is not one of whole years: BYEASTER=1: it is not known here`,
			`Stand-up: left out: "20260105T090000" is a time of day, and a Calendar has whole days: declare it as a window of a PeakSchedule`,
			`Jubilee: left out, for it is cancelled`,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

// TestKnownHolidays compares yearly rules with dates that are on record.
func TestKnownHolidays(t *testing.T) {
	file, err := os.Open("testdata/holidays.ics")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	result, err := Read(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	calendar, err := scheduler.CompileCalendar("holidays", result.Spec)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{
		"Thanksgiving": {"2020-11-26", "2021-11-25", "2022-11-24", "2023-11-23", "2024-11-28", "2025-11-27", "2026-11-26"},
		"Memorial Day": {"2020-05-25", "2021-05-31", "2022-05-30", "2023-05-29", "2024-05-27", "2025-05-26", "2026-05-25"},
	}
	got := map[string][]string{}
	for _, day := range calendar.Days(time.UTC, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		if known[day.Name] != nil {
			got[day.Name] = append(got[day.Name], day.Date)
		}
	}
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	tests := map[string]struct{ reason, text, want string }{
		"NoCalendar": {"any other file is no calendar", "hello\r\n", "this is not an iCalendar file"},
		"Empty":      {"an empty file names no day", "", "no all-day event"},
		"NoDays": {
			"a calendar of appointments has no day to offer",
			"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20260105T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "no all-day event",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(tc.text), Options{}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\nReason: %s\ngot %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	seed, err := os.ReadFile("testdata/holidays.ics")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(seed))
	for _, event := range []string{
		"DTSTART:20240229\r\nRRULE:FREQ=YEARLY;BYMONTHDAY=30", "DTSTART:20240229\r\nDURATION:P366W", "DTSTART:21991231\r\nDTEND:22000101",
		"DTSTART:20240101\r\nRRULE:FREQ=YEARLY;INTERVAL=999999999;COUNT=999999999", "DTSTART:20240101\r\nEXDATE:,,\r\nRDATE:20240102,x",
	} {
		f.Add("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\n" + event + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		result, err := Read(strings.NewReader(text), Options{})
		if err == nil && len(result.Spec.Days) == 0 {
			t.Fatalf("%q: no error and no days", text)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Fatalf("%q took %s", text, took)
		}
	})
}
