package icalendar

import (
	"fmt"
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
			`Easter Monday: only 2026-04-06 is kept, because the recurrence "FREQ=YEARLY;BYEASTER=1" ` +
				`cannot be converted: BYEASTER=1: it is not supported`,
			`Stand-up: skipped: "20260105T090000" is a time of day, and a Calendar has whole days: ` +
				`declare it as a window of a PeakSchedule`,
			`Jubilee: skipped, because it is cancelled`,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

// TestKnownHolidays compares yearly rules with known dates.
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
	from, to := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, day := range calendar.Days(time.UTC, from, to) {
		if known[day.Name] != nil {
			got[day.Name] = append(got[day.Name], day.Date)
		}
	}
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

var events = map[string]struct {
	reason, event string
	want          string // dates of the days, or "yearly"
	note          string
}{
	"OneDay": {"a date", "DTSTART;VALUE=DATE:20260901", "2026-09-01", ""},
	"SeveralDays": {
		"the end is the first day after it", "DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261008",
		"2026-10-01/2026-10-07", "",
	},
	"EndIsStart": {
		"some programs write the same day as the end",
		"DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261001", "2026-10-01", "",
	},
	"Midnights": {
		"a day in a zone is a day",
		"DTSTART;TZID=\"China Standard Time\":20260501T000000\nDTEND;TZID=\"China Standard Time\":20260504T000000",
		"2026-05-01/2026-05-03", "",
	},
	"MidnightFor": {
		"a duration instead of an end", "DTSTART;TZID=Asia/Shanghai:20260501T000000\nDURATION:P2D",
		"2026-05-01/2026-05-02", "",
	},
	"FirstHour": {
		"an hour at midnight is no day",
		"DTSTART;TZID=Asia/Shanghai:20260501T000000\nDTEND;TZID=Asia/Shanghai:20260501T010000", "",
		"from one midnight to another",
	},
	"Instant": {
		"no time at all is no day", "DTSTART;TZID=Asia/Shanghai:20260501T000000", "",
		"from one midnight to another",
	},
	"UTCMidnight": {
		"midnight in UTC is some other time where the holiday is",
		"DTSTART:20260501T000000Z\nDTEND:20260502T000000Z", "", "time of day",
	},
	"Noon": {
		"an appointment",
		"DTSTART;TZID=Europe/Berlin:20260105T120000\nDTEND;TZID=Europe/Berlin:20260105T130000", "",
		"time of day",
	},
	"DailyCount": {
		"a week of days", "DTSTART;VALUE=DATE:20261001\nRRULE:FREQ=DAILY;COUNT=7", "2026-10-01/2026-10-07",
		"",
	},
	"EveryOtherDay": {
		"the interval counts days",
		"DTSTART;VALUE=DATE:20261001\nRRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20261005",
		"2026-10-01 2026-10-03 2026-10-05", "",
	},
	"Weekly": {
		"until a date, that one too",
		"DTSTART;VALUE=DATE:20260901\nRRULE:FREQ=WEEKLY;UNTIL=20260915T235959Z",
		"2026-09-01 2026-09-08 2026-09-15", "",
	},
	"WeeklyDays": {
		"on weekdays, every other week",
		"DTSTART;VALUE=DATE:20260902\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=4",
		"2026-09-02 2026-09-14 2026-09-16 2026-09-28", "",
	},
	"WeeklyForever": {
		"ten years of it, with a note", "DTSTART;VALUE=DATE:20260901\nRRULE:FREQ=WEEKLY;INTERVAL=260",
		"2026-09-01 2031-08-26 2036-08-19", "import the file again",
	},
	"Monthly": {
		"by months", "DTSTART;VALUE=DATE:20260901\nRRULE:FREQ=MONTHLY;COUNT=3",
		"2026-09-01 2026-10-01 2026-11-01", "",
	},
	"Hourly": {
		"what is not supported is noted", "DTSTART;VALUE=DATE:20260901\nRRULE:FREQ=HOURLY;COUNT=3",
		"2026-09-01", "FREQ is \"HOURLY\"",
	},
	"TimedUntil": {
		"UNTIL is in UTC, and is the midnight of the 4th where the event is",
		"DTSTART;TZID=Asia/Shanghai:20260501T000000\nDURATION:P1D\nRRULE:FREQ=DAILY;UNTIL=20260503T160000Z",
		"2026-05-01/2026-05-04", "",
	},
	"TimedUntilUnknown": {
		"the day of UNTIL is not known without the zone",
		"DTSTART;TZID=Atlantis:20260501T000000\nDURATION:P1D\nRRULE:FREQ=DAILY;UNTIL=20260503T160000Z",
		"2026-05-01", "is a time in UTC",
	},
	"Yearly": {"a rule", "DTSTART;VALUE=DATE:20251225\nRRULE:FREQ=YEARLY", "yearly", ""},
	"YearlyTimed": {
		"a rule of midnights", "DTSTART;TZID=Europe/Berlin:20251225T000000\nDURATION:P1D\nRRULE:FREQ=YEARLY",
		"yearly", "",
	},
	"Dates": {
		"several dates of one event",
		"DTSTART;VALUE=DATE:20260405\nRDATE;VALUE=DATE:20270328,20280416\nEXDATE;VALUE=DATE:20270328",
		"2026-04-05 2028-04-16", "",
	},
	"UntilFarOff": {
		"some programs write the last of all years for no end",
		"DTSTART;VALUE=DATE:20251225\nRRULE:FREQ=YEARLY;UNTIL=99991231", "yearly", "",
	},
	"DailyFarOff": {
		"the same by days",
		"DTSTART;VALUE=DATE:20260901\nRRULE:FREQ=DAILY;INTERVAL=366;UNTIL=99991231T235959Z;COUNT=2",
		"2026-09-01 2027-09-02", "",
	},
	"UntilBefore": {
		"nothing is left, with a note", "DTSTART;VALUE=DATE:20260901\nRRULE:FREQ=DAILY;UNTIL=20200101", "",
		"ends before it begins",
	},
	"EndBefore": {
		"an impossible end is noted", "DTSTART;VALUE=DATE:20260901\nDTEND;VALUE=DATE:20250901", "2026-09-01",
		"it ends before it begins",
	},
	"NoSuchDay": {
		"a day of no year has no recurrence, and the event keeps its date",
		"DTSTART;VALUE=DATE:20260228\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", "2026-02-28",
		"no day has the properties",
	},
	"CountWithoutEnd": {
		"a thousand million days are ten years of them",
		"DTSTART;VALUE=DATE:20260901\nRRULE:FREQ=DAILY;COUNT=1000000000", "2026-09-01/2036-09-01",
		"import the file again",
	},
	"MonthEnd": {
		"a rule of several days that leaves its month is dates",
		"DTSTART;VALUE=DATE:20261231\nDTEND;VALUE=DATE:20270102\nRRULE:FREQ=YEARLY;COUNT=2",
		"2026-12-31/2027-01-01 2027-12-31/2028-01-01", "",
	},
}

// TestRead reads events in the forms in which programs write them.
func TestRead(t *testing.T) {
	for name, tc := range events {
		for how, end := range map[string]string{"": "\r\n", "LF": "\n"} {
			t.Run(name+how, func(t *testing.T) {
				text := "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nSUMMARY:Tag der\n  offenen T\u00fcr\\, " +
					"drau\u00dfen\n" + tc.event + "\nEND:VEVENT\n" +
					"BEGIN:VEVENT\nSUMMARY:other\nDTSTART;VALUE=DATE:20200101\nEND:VEVENT\nEND:VCALENDAR\n"
				result, err := Read(strings.NewReader(strings.ReplaceAll(text, "\n", end)), Options{})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, day := range result.Spec.Days {
					switch {
					case day.Name == "other":
					case day.Name != "Tag der offenen Tür, draußen":
						t.Errorf("a folded line makes the name %q", day.Name)
					case day.Yearly != nil:
						got = append(got, "yearly")
					default:
						got = append(got, day.Dates...)
					}
				}
				if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
					t.Errorf("\nReason: %s\n-want, +got\n%s", tc.reason, diff)
				}
				if notes := strings.Join(result.Notes, "\n"); (tc.note == "") != (notes == "") ||
					!strings.Contains(notes, tc.note) {
					t.Errorf("\nReason: %s\nnotes %q, want %q", tc.reason, notes, tc.note)
				}
			})
		}
	}
}

func TestReadRefuses(t *testing.T) {
	tests := map[string]struct{ reason, text, want string }{
		"NoCalendar": {"any other file is no calendar", "hello\r\n", "this is not an iCalendar file"},
		"Empty":      {"an empty file names no day", "", "no all-day event"},
		"NoDays": {
			"a calendar of appointments has no whole day",
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
		"DTSTART:20240229\r\nRRULE:FREQ=YEARLY;BYMONTHDAY=30", "DTSTART:20240229\r\nDURATION:P366W",
		"DTSTART:21991231\r\nDTEND:22000101",
		"DTSTART:20240101\r\nRRULE:FREQ=YEARLY;INTERVAL=999999999;COUNT=999999999",
		"DTSTART:20240101\r\nEXDATE:,,\r\nRDATE:20240102,x",
	} {
		f.Add("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\n" + event + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		result, err := Read(strings.NewReader(text), Options{})
		if err == nil && len(result.Spec.Days) == 0 {
			t.Fatalf("%q: no error and no days", text)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Fatalf("%q took %s", text, took)
		}
	})
}

// TestReadBoundsRecurrences checks that 20,000 events of 1,000,000,000 days each are refused before
// they are expanded.
func TestReadBoundsRecurrences(t *testing.T) {
	var text strings.Builder
	text.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	for i := range 20000 {
		fmt.Fprintf(&text,
			"BEGIN:VEVENT\nUID:%d\nSUMMARY:%d\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY;COUNT=1000000000\nEND:VEVENT\n",
			i, i)
	}
	text.WriteString("END:VCALENDAR\n")
	result, err := Read(strings.NewReader(text.String()), Options{})
	if err == nil || !strings.Contains(err.Error(), "have more than 262144 days") {
		t.Errorf("got %v", err)
	}
	if len(result.Notes) > 100 {
		t.Errorf("%d events were expanded", len(result.Notes))
	}
}
