package scheduler

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/api/v1alpha1"
)

func nth(month int32, weekday string, n int32) *v1alpha1.YearlyRule {
	return &v1alpha1.YearlyRule{Month: month, Weekday: &weekday, Nth: &n}
}

func fixed(month, day int32) *v1alpha1.YearlyRule {
	return &v1alpha1.YearlyRule{Month: month, Day: &day}
}

// holidays have rules and explicit dates. The holidays of the lunar calendar can only be explicit
// dates.
var holidays = v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{
	{Name: "New Year", Yearly: fixed(1, 1)},
	{Name: "Martin Luther King Day", Yearly: nth(1, "Monday", 3)},
	{Name: "Memorial Day", Yearly: nth(5, "Monday", -1)},
	{Name: "Labor Day", Yearly: nth(9, "Monday", 1)},
	{Name: "Thanksgiving", Yearly: nth(11, "Thursday", 4)},
	{Name: "Mother's Day", Yearly: nth(5, "Sunday", 2)},
	{Name: "Leap day", Yearly: fixed(2, 29)},
	{Name: "Fifth Monday of February", Yearly: nth(2, "Monday", 5)},
	{
		Name:  "Spring Festival",
		Dates: []string{"2020-01-25", "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29", "2026-02-17"},
	},
	{Name: "National Day week", Dates: []string{"2025-10-01/2025-10-03", "2025-10-03/2025-10-08"}},
}}

func TestCalendarAgainstKnownHolidays(t *testing.T) {
	known := map[string][]string{
		"New Year": {
			"2020-01-01", "2021-01-01", "2022-01-01", "2023-01-01", "2024-01-01", "2025-01-01", "2026-01-01",
		},
		"Martin Luther King Day": {
			"2020-01-20", "2021-01-18", "2022-01-17", "2023-01-16", "2024-01-15", "2025-01-20", "2026-01-19",
		},
		"Memorial Day": {
			"2020-05-25", "2021-05-31", "2022-05-30", "2023-05-29", "2024-05-27", "2025-05-26", "2026-05-25",
		},
		"Labor Day": {
			"2020-09-07", "2021-09-06", "2022-09-05", "2023-09-04", "2024-09-02", "2025-09-01", "2026-09-07",
		},
		"Thanksgiving": {
			"2020-11-26", "2021-11-25", "2022-11-24", "2023-11-23", "2024-11-28", "2025-11-27", "2026-11-26",
		},
		"Mother's Day": {
			"2020-05-10", "2021-05-09", "2022-05-08", "2023-05-14", "2024-05-12", "2025-05-11", "2026-05-10",
		},
		"Leap day": {"2020-02-29", "2024-02-29"},
		"Spring Festival": {
			"2020-01-25", "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29", "2026-02-17",
		},
		"National Day week": {
			"2025-10-01", "2025-10-02", "2025-10-03", "2025-10-04", "2025-10-05", "2025-10-06", "2025-10-07",
			"2025-10-08",
		},
	}
	c, err := CompileCalendar("holidays", holidays)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, day := range c.Days(time.UTC, instant(t, "2020-01-01T00:00:00Z"), instant(t, "2027-01-01T00:00:00Z")) {
		got[day.Name] = append(got[day.Name], day.Date)
	}
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}

func TestDaysFollowTheZone(t *testing.T) {
	tests := map[string]struct {
		reason, zone, date string
		want               []string
	}{
		"Short": {
			"the day of the spring change lasts 23 h", "Europe/Berlin", "2026-03-29",
			[]string{"2026-03-29T00:00:00+01:00 23h0m0s"},
		},
		"Long": {
			"the day of the autumn change lasts 25 h", "Europe/Berlin", "2026-10-25",
			[]string{"2026-10-25T00:00:00+02:00 25h0m0s"},
		},
		"NoMidnight": {
			"a day without midnight begins at one", "Africa/Cairo", "2026-04-24",
			[]string{"2026-04-24T01:00:00+03:00 23h0m0s"},
		},
		"HalfHour": {
			"Lord Howe changes by half an hour", "Australia/Lord_Howe", "2026-10-04",
			[]string{"2026-10-04T00:00:00+10:30 23h30m0s"},
		},
		"Skipped": {"Apia had no 30 December 2011", "Pacific/Apia", "2011-12-30", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := CompileCalendar("c",
				v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "d", Dates: []string{tc.date}}}})
			if err != nil {
				t.Fatal(err)
			}
			location, err := time.LoadLocation(tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			around := instant(t, tc.date+"T12:00:00Z")
			var got []string
			for _, day := range c.Days(location, around.AddDate(0, 0, -3), around.AddDate(0, 0, 3)) {
				got = append(got, day.Start.Format(time.RFC3339)+" "+day.End.Sub(day.Start).String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNextDays(t *testing.T) {
	c, err := CompileCalendar("holidays", holidays)
	if err != nil {
		t.Fatal(err)
	}
	dates := func(days []NamedDay) []string {
		var out []string
		for _, d := range days {
			out = append(out, d.Date+" "+d.Name)
		}
		return out
	}
	got := dates(c.Next(time.UTC, instant(t, "2026-11-26T00:00:00Z"), 3))
	want := []string{"2027-01-01 New Year", "2027-01-18 Martin Luther King Day", "2027-05-09 Mother's Day"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the day that has begun is not next: -want, +got\n%s", diff)
	}
	rare, err := CompileCalendar("rare", v1alpha1.CalendarSpec{Days: holidays.Days[7:8]})
	if err != nil {
		t.Fatal(err)
	}
	got = dates(rare.Next(time.UTC, instant(t, "2081-01-01T00:00:00Z"), 1))
	if diff := cmp.Diff([]string{"2112-02-29 Fifth Monday of February"}, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	gone, err := CompileCalendar("gone", v1alpha1.CalendarSpec{Days: holidays.Days[8:9]})
	if err != nil {
		t.Fatal(err)
	}
	if got := gone.Next(time.UTC, instant(t, "2026-03-01T00:00:00Z"), 3); len(got) != 0 {
		t.Errorf("dates that are over come again: %v", got)
	}
}

// TestExceptIsByTheDateThatIsNamed checks which date decides where a clock change moves the start:
// the date in the schedule.
func TestExceptIsByTheDateThatIsNamed(t *testing.T) {
	spec := v1alpha1.PeakScheduleSpec{
		TimeZone: "America/Nuuk", // on Saturday 28 March 2026 the clock changes from 23:00 to midnight
		Windows:  []v1alpha1.PeakWindow{{Name: "w", Schedule: "30 23 * * 6", Duration: "1h", Demand: atLeast("1")}},
	}
	at := instant(t, "2026-03-27T00:00:00Z")
	if got := compileSpec(t, spec).Next(at, 1)[0].Start.Format(time.RFC3339); got != "2026-03-29T00:00:00-01:00" {
		t.Fatalf("it starts %s", got)
	}
	spec.Except = &v1alpha1.Days{Dates: []string{"2026-03-28"}}
	if got := compileSpec(t, spec).Next(at, 1)[0].Start.Format(time.RFC3339); got != "2026-04-04T23:30:00-01:00" {
		t.Errorf("with 28 March excepted it starts %s", got)
	}
}

func TestWarnsOfWindowsThatNeverStart(t *testing.T) {
	s := compileSpec(t, v1alpha1.PeakScheduleSpec{
		TimeZone: "UTC", Only: &v1alpha1.Days{Dates: []string{"2026-06-01"}},
		Windows: []v1alpha1.PeakWindow{
			{Name: "monday", Schedule: "0 0 * * 1", Duration: "1h", Demand: atLeast("1")},
			{Name: "tuesday", Schedule: "0 0 * * 2", Duration: "1h", Demand: atLeast("1")},
			{Name: "once", Start: "2026-06-02T00:00", Duration: "1h", Demand: atLeast("1")},
		},
	})
	want := []string{
		`window "tuesday" never starts: spec.except and spec.only leave it no day`,
		`window "once" never starts: spec.except and spec.only leave it no day`,
	}
	if diff := cmp.Diff(want, s.Warnings()); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
	if got, _ := s.Between(instant(t, "1980-01-01T00:00:00Z"), instant(t, "2190-01-01T00:00:00Z"), 10); len(got) != 1 {
		t.Errorf("occurrences of two centuries: %v", got)
	}
}

// TestManyRanges declares every day of all years again and again, as often as the API server allows
// in a Calendar.
func TestManyRanges(t *testing.T) {
	var spec v1alpha1.CalendarSpec
	for range maxCalendarDays {
		day := v1alpha1.CalendarDay{Name: "always"}
		for range maxDatesOfDay {
			day.Dates = append(day.Dates, "1970-01-01/2199-12-31")
		}
		spec.Days = append(spec.Days, day)
	}
	c, err := CompileCalendar("c", spec)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.named); n != 1 || len(c.named[0].spans) != 1 {
		t.Errorf("%d names are walked over, the first of them by %v", n, c.named[0].spans)
	}
	for _, day := range []int{0, 63, 64, dayCount - 1} {
		if !c.days.has(day) {
			t.Errorf("day %d is missing", day)
		}
	}
}

// TestDaySetSpans compares spans that are added at once with the same days added one by one.
func TestDaySetSpans(t *testing.T) {
	for _, s := range []span{
		{0, 0}, {0, 62}, {0, 63}, {0, 64}, {63, 64}, {64, 127}, {5, 700}, {dayCount - 70, dayCount - 1}, {9, 8},
	} {
		var want, got daySet
		for day := s.first; day <= s.last; day++ {
			want.add(day)
		}
		if got.addSpan(s); want != got {
			t.Errorf("%v differs", s)
		}
	}
}

// TestSpansOfOneName mixes dates and rules with one name, and dates that overlap, touch and are
// apart.
func TestSpansOfOneName(t *testing.T) {
	day, c := int32(5), v1alpha1.CalendarSpec{}
	c.Days = []v1alpha1.CalendarDay{
		{Name: "a", Dates: []string{"2026-01-10", "2026-01-03/2026-01-04"}},
		{Name: "a", Yearly: &v1alpha1.YearlyRule{Month: 1, Day: &day}},
		{Name: "b", Dates: []string{"2026-01-04"}},
		{Name: "a", Dates: []string{"2026-01-04/2026-01-06", "2026-01-07"}},
	}
	compiled, err := CompileCalendar("c", c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, d := range compiled.Days(time.UTC, from, to) {
		got = append(got, d.Name+" "+d.Date)
	}
	want := []string{
		"a 2026-01-03", "a 2026-01-04", "b 2026-01-04", "a 2026-01-05", "a 2026-01-06", "a 2026-01-07",
		"a 2026-01-10",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}
