package convert

import (
	"slices"
	"strings"
	"testing"
)

func TestExcludeDates(t *testing.T) {
	cases := map[string]struct {
		reason, text string
		weekly       bool
		month, day   int32 // of a day of the year
		weekdays     []int
		err          string
	}{
		"Day":      {"one day of one month", "* * * 15 11 *", true, 11, 15, nil, ""},
		"DayOfDay": {"a time of day does not matter: it excludes the date", "0 0 8 15 11 ?", false, 11, 15, nil, ""},
		"Zeros":    {"numbers with a zero before them", "0 0 0 05 01 *", true, 1, 5, nil, ""},
		"Weekday":  {"every Friday", "* * * * * 5", true, 0, 0, []int{5}, ""},
		"Weekdays": {"a range and a list, with Sunday as 7", "* * * * * 6-7", true, 0, 0, []int{6, 0}, ""},
		"Names":    {"names of weekdays", "* * * ? * SAT,SUN", true, 0, 0, []int{6, 0}, ""},
		"EveryDay": {"all days: then nothing recurs", "* * * * * *", true, 0, 0, []int{1, 2, 3, 4, 5, 6, 0}, ""},
		"WeekdayBesideDates": {
			"with actions on dates, a weekday is no exception of a week", "* * * * * 5", false, 0, 0, nil, "name the days",
		},
		"RangeOfDays":    {"more than one day", "* * * 1-3 5 *", true, 0, 0, nil, "name the days"},
		"DayOfEachMonth": {"no month is named", "* * * 1 * *", true, 0, 0, nil, "name the days"},
		"Month":          {"no day is named", "* * * * 5 *", true, 0, 0, nil, "name the days"},
		"DayAndWeekday":  {"a date that is a Friday is in some years only", "* * * 13 1 5", true, 0, 0, nil, "name the days"},
		"NoWeekday":      {"there are seven days", "* * * * * 9", true, 0, 0, nil, "name the days"},
		"FiveFields":     {"cronhpa has seconds", "* * 15 11 *", true, 0, 0, nil, "six fields"},
		"Empty":          {"nothing is excluded", "", true, 0, 0, nil, "six fields"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			day, weekdays, err := exception(tc.text, tc.weekly)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("\nReason: %s\nerror %v, want %q", tc.reason, err, tc.err)
			}
			if !slices.Equal(weekdays, tc.weekdays) {
				t.Errorf("\nReason: %s\nweekdays %v, want %v", tc.reason, weekdays, tc.weekdays)
			}
			if (day != nil) != (tc.day > 0) ||
				day != nil && (day.Yearly == nil || day.Yearly.Month != tc.month || *day.Yearly.Day != tc.day) {
				t.Errorf("\nReason: %s\nday %+v, want %d of month %d", tc.reason, day, tc.day, tc.month)
			}
		})
	}
}

// What excludeDates leave of a CronHorizontalPodAutoscaler.
func TestCronHPAExcludeDates(t *testing.T) {
	object := func(exclude string) string {
		text := cronHPA("{apiVersion: apps/v1, kind: Deployment, name: shop}", upAndDown)
		return strings.Replace(text, "spec: {", "spec: {excludeDates: ["+exclude+"], ", 1)
	}
	cases := map[string]struct{ reason, text, objects, notes, err string }{
		"Weekend": {
			"the level of Friday evening stays until Monday", object("'* * * * * 0,6'"),
			"schedule: 0 8 * * 1-5", "excludeDates stand for the dates that they name", "",
		},
		"All": {
			"nothing is left of the week", object("'* * * * * *'"), "", "", "its excludeDates exclude all of its actions",
		},
		"InvalidDate": {
			"30 February is in no year", object("'* * * 30 2 *'"), "", "", "invalid Calendar",
		},
		"Unknown": {
			"the rest is converted, with a note", object("'* * * 1-3 5 *'"), "schedule: 0 8 * * *",
			`excludeDates "* * * 1-3 5 *" is not converted`, "",
		},
		"Holiday": {
			"a day of the year is a day of a Calendar", object("'* * * 25 12 *'"), "month: 12",
			"on an excepted day no window starts", "",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objects, notes, err := converted(t, tc.text)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("\nReason: %s\nerror %v, want %q", tc.reason, err, tc.err)
			}
			if !strings.Contains(objects, tc.objects) || !strings.Contains(notes, tc.notes) {
				t.Errorf("\nReason: %s\nwant %q and %q in\n%s\n%s", tc.reason, tc.objects, tc.notes, objects, notes)
			}
		})
	}
}
