package icalendar

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stream makes a calendar of events, each given by its lines.
func stream(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	for _, e := range events {
		b.WriteString("BEGIN:VEVENT\nSUMMARY:x\n" + e + "\nEND:VEVENT\n")
	}
	return b.String() + "END:VCALENDAR\n"
}

// readDates returns the dates of a stream and the notes, in one line each.
func readDates(t *testing.T, text, from string) (dates, notes string) {
	t.Helper()
	var options Options
	if from != "" {
		day, err := time.Parse(dateLayout, from)
		if err != nil {
			t.Fatal(err)
		}
		options.From = day
	}
	result, err := Read(strings.NewReader(text), options)
	if err != nil {
		return "error: " + err.Error(), strings.Join(result.Notes, "\n")
	}
	var out []string
	for _, day := range result.Spec.Days {
		if day.Yearly != nil {
			out = append(out, "yearly")
		}
		out = append(out, day.Dates...)
	}
	return strings.Join(out, " "), strings.Join(result.Notes, "\n")
}

var fieldCases = map[string]struct {
	reason, text, from string
	want, note         string
}{
	"OldWithException": {
		"an old series is expanded from --from on, not from its start",
		stream("DTSTART;VALUE=DATE:19710504\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=1TU;UNTIL=20291231\n" +
			"EXDATE;VALUE=DATE:20270504"),
		"2026-01-01", "2026-05-05 2028-05-02 2029-05-01", "",
	},
	"BeforeAllYears": {
		"a series may begin before the first year of a Calendar",
		stream("DTSTART;VALUE=DATE:19181111\nRRULE:FREQ=YEARLY;COUNT=110"),
		"2026-01-01", "2026-11-11 2027-11-11", "",
	},
	"BeforeAllYearsForever": {
		"without an end that is a rule", stream("DTSTART;VALUE=DATE:19181111\nRRULE:FREQ=YEARLY"), "2026-01-01", "yearly", "",
	},
	"EveryFourYears": {
		"the interval counts from the start of the series",
		stream("DTSTART;VALUE=DATE:19690120\nRRULE:FREQ=YEARLY;INTERVAL=4"),
		"2026-01-01", "2029-01-20 2033-01-20", "import the file again",
	},
	"CountIsOver": {
		"a number of occurrences counts from the start of the series",
		stream("DTSTART;VALUE=DATE:20000103\nRRULE:FREQ=WEEKLY;COUNT=5", "DTSTART;VALUE=DATE:20260105"),
		"2026-01-01", "2026-01-05", "",
	},
	"BeginsBeforeFrom": {
		"the rest of a long occurrence is kept", stream("DTSTART;VALUE=DATE:20251220\nDTEND;VALUE=DATE:20260106"),
		"2026-01-01", "2026-01-01/2026-01-05", "",
	},
	"BeginsLater": {
		"a rule would have days before the series",
		stream("DTSTART;VALUE=DATE:20300101\nRRULE:FREQ=YEARLY;UNTIL=20310101"), "2026-01-01", "2030-01-01 2031-01-01", "",
	},
	"BeginsMuchLater": {
		"without an end, a rule would have days before the series too",
		stream("DTSTART;VALUE=DATE:20340301\nRRULE:FREQ=YEARLY"), "2026-06-01",
		"2034-03-01 2035-03-01 2036-03-01 2037-03-01 2038-03-01 2039-03-01 2040-03-01 2041-03-01 2042-03-01 " +
			"2043-03-01 2044-03-01",
		"import the file again",
	},
	"BeginsNextTime": {
		"a rule that first applies next is a rule", stream("DTSTART;VALUE=DATE:20270301\nRRULE:FREQ=YEARLY"), "2026-06-01",
		"yearly", "",
	},
	"WholeSeriesCancelled": {
		"with the series its moved occurrence is cancelled",
		stream("UID:a\nDTSTART;VALUE=DATE:20260901\nRRULE:FREQ=WEEKLY\nSTATUS:CANCELLED",
			"UID:a\nRECURRENCE-ID;VALUE=DATE:20260908\nDTSTART;VALUE=DATE:20260909", "UID:b\nDTSTART;VALUE=DATE:20260101"),
		"", "2026-01-01", "it is cancelled",
	},
	"MovedAlone": {
		"without its series, a moved occurrence is an event",
		stream("UID:a\nRECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20260908\nDTSTART;VALUE=DATE:20260909"), "",
		"2026-09-09", "",
	},
	"SeveralCalendars": {
		"a stream may have several, with texts between them",
		"\ufeff" + stream("DTSTART;VALUE=DATE:20260101") + "\n\nX-JUNK\n" + stream("DTSTART;VALUE=DATE:20260301"),
		"", "2026-01-01 2026-03-01", "",
	},
	"Cancelled": {
		"one occurrence is cancelled",
		stream("UID:a\nDTSTART;VALUE=DATE:20260901\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=4",
			"UID:a\nRECURRENCE-ID;VALUE=DATE:20260903\nDTSTART;VALUE=DATE:20260903\nSTATUS:CANCELLED"),
		"", "2026-09-01 2026-09-05 2026-09-07", "",
	},
	"Moved": {
		"one occurrence is moved, and lasts longer",
		stream("UID:a\nRECURRENCE-ID:20260903T000000\nDTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261003",
			"UID:a\nDTSTART;VALUE=DATE:20260901\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=3"),
		"", "2026-09-01 2026-09-05 2026-10-01/2026-10-02", "",
	},
	"MovedForever": {
		"a rule with one other occurrence is dates",
		stream("UID:a\nDTSTART;VALUE=DATE:20260901\nRRULE:FREQ=YEARLY;UNTIL=20280901",
			"UID:a\nRECURRENCE-ID;VALUE=DATE:20270901\nDTSTART;VALUE=DATE:20270902"),
		"", "2026-09-01 2027-09-02 2028-09-01", "",
	},
	"MovedFromNowOn": {
		"all later occurrences move",
		stream("UID:a\nDTSTART;VALUE=DATE:20260901\nRRULE:FREQ=WEEKLY;COUNT=4",
			"UID:a\nRECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20260915\nDTSTART;VALUE=DATE:20260917"),
		"", "2026-09-01 2026-09-08 2026-09-17 2026-09-24", "",
	},
	"CancelledFromNowOn": {
		"all later occurrences are cancelled",
		stream("UID:a\nDTSTART;VALUE=DATE:20260901\nRRULE:FREQ=WEEKLY;COUNT=4",
			"UID:a\nRECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20260915\nDTSTART;VALUE=DATE:20260915\nSTATUS:CANCELLED"),
		"", "2026-09-01 2026-09-08", "",
	},
	"CancelledInUTC": {
		"the day that is meant is the one where the event is",
		stream("UID:a\nDTSTART;TZID=Asia/Shanghai:20260901T000000\nDURATION:P1D\nRRULE:FREQ=WEEKLY;COUNT=2\n"+
			"EXDATE:20260831T160000Z", "UID:b\nDTSTART;VALUE=DATE:20261001"),
		"", "2026-09-08 2026-10-01", "",
	},
	"NewerVersion": {
		"the higher SEQUENCE replaces the lower one",
		stream("UID:a\nSEQUENCE:2\nDTSTART;VALUE=DATE:20260902", "UID:a\nSEQUENCE:1\nDTSTART;VALUE=DATE:20260901"),
		"", "2026-09-02", "",
	},
	"SameUID": {
		"some programs give all events one UID",
		stream("UID:a\nDTSTART;VALUE=DATE:20260902", "UID:a\nDTSTART;VALUE=DATE:20260905"), "", "2026-09-02 2026-09-05", "",
	},
	"Transparent": {
		"holidays do not block anybody's time, and are days all the same",
		stream("DTSTART;VALUE=DATE:20260902\nTRANSP:TRANSPARENT"), "", "2026-09-02", "",
	},
	"AlarmHasDuration": {
		"what belongs to an alarm does not belong to the event",
		stream("DTSTART;VALUE=DATE:20260902\nBEGIN:VALARM\nTRIGGER:-P1D\nDURATION:PT15M\nDTEND:20260909\nEND:VALARM"),
		"", "2026-09-02", "",
	},
	"Hours": {
		"24 hours from a midnight are a day", stream("DTSTART;TZID=Europe/Rome:20260602T000000\nDURATION:PT24H"), "",
		"2026-06-02", "",
	},
	"HoursOfDate": {
		"hours of a date", stream("DTSTART;VALUE=DATE:20260602\nDURATION:PT48H"), "", "2026-06-02/2026-06-03", "",
	},
	"Minutes": {"the same in minutes", stream("DTSTART;VALUE=DATE:20260602\nDURATION:PT1440M"), "", "2026-06-02", ""},
	"Mixed": {
		"a day and 24 hours", stream("DTSTART;VALUE=DATE:20260602\nDURATION:P1DT24H0M0S"), "",
		"2026-06-02/2026-06-03", "",
	},
	"ShortDay": {
		"23 hours where the clock is set forward",
		stream("DTSTART;TZID=Europe/Rome:20260329T000000\nDURATION:PT23H"), "", "2026-03-29", "",
	},
	"LongDay": {
		"25 hours where it is set back, in a zone of Windows",
		stream("DTSTART;TZID=\"W. Europe Standard Time\":20261025T000000\nDURATION:PT25H"), "", "2026-10-25", "",
	},
	"NotShort": {
		"23 hours of any other day are no day",
		stream("DTSTART;TZID=Europe/Rome:20260602T000000\nDURATION:PT23H", "DTSTART;VALUE=DATE:20260901"),
		"", "2026-09-01", "from one midnight to another",
	},
	"LastSecond": {
		"some programs end a day a second early",
		stream("DTSTART;TZID=Europe/Rome:20260602T000000\nDTEND;TZID=Europe/Rome:20260603T235959"), "",
		"2026-06-02/2026-06-03", "",
	},
	"OwnZone": {
		"the file describes its zone, which nobody else knows",
		"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Here\nBEGIN:STANDARD\nDTSTART:16011028T030000\n" +
			"RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\n" +
			"BEGIN:DAYLIGHT\nDTSTART:16010325T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n" +
			"TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE\n" +
			"BEGIN:VEVENT\nSUMMARY:x\nDTSTART;TZID=Here:20260329T000000\nDURATION:PT23H\n" +
			"RRULE:FREQ=DAILY;UNTIL=20260330T220000Z\nEND:VEVENT\nEND:VCALENDAR\n",
		"", "2026-03-29/2026-03-31", "",
	},
	"CalendarZone": {
		"the calendar names the zone of its times in UTC",
		"BEGIN:VCALENDAR\nX-WR-TIMEZONE:Asia/Tokyo\nBEGIN:VEVENT\nSUMMARY:x\nDTSTART:20260504T150000Z\n" +
			"DTEND:20260506T150000Z\nEND:VEVENT\nEND:VCALENDAR\n",
		"", "2026-05-05/2026-05-06", "",
	},
	"EndInUTC": {
		"the end is in UTC, the start is not",
		stream("DTSTART;TZID=/example.org/2005/Asia/Tokyo:20260505T000000\nDTEND:20260506T150000Z"), "",
		"2026-05-05/2026-05-06", "",
	},
	"SecondTuesday": {
		"weekdays of months", stream("DTSTART;VALUE=DATE:20260113\nRRULE:FREQ=MONTHLY;BYDAY=2TU,-1FR;COUNT=4"), "",
		"2026-01-13 2026-01-30 2026-02-10 2026-02-27", "",
	},
	"LastWorkday": {
		"the last of several weekdays",
		stream("DTSTART;VALUE=DATE:20260130\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3"), "",
		"2026-01-30 2026-02-27 2026-03-31", "",
	},
	"LastDay": {
		"counted from the end", stream("DTSTART;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"), "",
		"2026-01-31 2026-02-28 2026-03-31", "",
	},
	"NoThirtyFirst": {
		"months without the day are left out", stream("DTSTART;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY;COUNT=3"), "",
		"2026-01-31 2026-03-31 2026-05-31", "",
	},
	"WeekNumber": {
		"Monday of week 20", stream("DTSTART;VALUE=DATE:20260511\nRRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=2"), "",
		"2026-05-11 2027-05-17", "",
	},
	"YearDay": {
		"days of the year", stream("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYYEARDAY=1,-1;COUNT=4"), "",
		"2026-01-01 2026-12-31/2027-01-01 2027-12-31", "",
	},
	"LeapDay": {
		"a day of leap years only", stream("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY;COUNT=3"), "2026-01-01",
		"2028-02-29 2032-02-29", "",
	},
	"SeveralRules": {
		"rules add up, and dates of exceptions are taken from all",
		stream("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY;COUNT=2\nRRULE:FREQ=WEEKLY;COUNT=2\nEXDATE:20260102T000000\n" +
			"RDATE;VALUE=PERIOD:20260201T000000/P2D"),
		"", "2026-01-01 2026-01-08 2026-02-01/2026-02-02", "",
	},
	"ExcludedRule": {
		"a rule of exceptions, as older programs write it",
		stream("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY;COUNT=4\nEXRULE:FREQ=DAILY;INTERVAL=2"), "",
		"2026-01-02 2026-01-04", "",
	},
	"BrokenText": {
		"a long text that is broken without a fold",
		stream("DESCRIPTION:one\ntwo three\n\nDTSTART;VALUE=DATE:20260101"), "", "2026-01-01", "",
	},
	"Truncated": {
		"a part of a file is not imported as if it was all",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nEND:VEVENT\n", "",
		"error: this is not an iCalendar file: " +
			"it ends before END:VCALENDAR, so a part of it is missing: get the whole file again", "",
	},
}

// TestFieldCases reads what programs write in the field.
func TestFieldCases(t *testing.T) {
	for name, tc := range fieldCases {
		for how, end := range map[string]string{"": "\r\n", "LF": "\n", "CR": "\r"} {
			t.Run(name+how, func(t *testing.T) {
				got, notes := readDates(t, strings.ReplaceAll(tc.text, "\n", end), tc.from)
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("\nReason: %s\n-want, +got\n%s\nnotes: %s", tc.reason, diff, notes)
				}
				if (tc.note == "") != (notes == "") || !strings.Contains(notes, tc.note) {
					t.Errorf("\nReason: %s\nnotes %q, want %q", tc.reason, notes, tc.note)
				}
			})
		}
	}
}
