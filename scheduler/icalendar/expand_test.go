package icalendar

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestExpandKnownDates expands rules whose dates are known, most of them from RFC 5545, 3.8.5.3.
func TestExpandKnownDates(t *testing.T) {
	for rule, tc := range map[string]struct{ first, want string }{
		"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO": {"1997-08-05", "1997-08-05 1997-08-10 1997-08-19 1997-08-24"},
		"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU": {"1997-08-05", "1997-08-05 1997-08-17 1997-08-19 1997-08-31"},
		"FREQ=MONTHLY;COUNT=5;BYDAY=1FR": {
			"1997-09-05", "1997-09-05 1997-10-03 1997-11-07 1997-12-05 1998-01-02",
		},
		"FREQ=MONTHLY;INTERVAL=2;COUNT=6;BYDAY=1SU,-1SU": {
			"1997-09-07", "1997-09-07 1997-09-28 1997-11-02 1997-11-30 1998-01-04 1998-01-25",
		},
		"FREQ=MONTHLY;COUNT=3;BYDAY=-2MO":    {"1997-09-22", "1997-09-22 1997-10-20 1997-11-17"},
		"FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=4": {"1997-09-28", "1997-09-28 1997-10-29 1997-11-28 1997-12-29"},
		"FREQ=MONTHLY;INTERVAL=18;COUNT=8;BYMONTHDAY=10,11,12,13": {
			"1997-09-10", "1997-09-10 1997-09-11 1997-09-12 1997-09-13 1999-03-10 1999-03-11 1999-03-12 1999-03-13",
		},
		"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=5": {
			"1998-02-01", "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13",
		},
		"FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=4": {
			"1997-09-13", "1997-09-13 1997-10-11 1997-11-08 1997-12-13",
		},
		"FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3": {"1997-09-04", "1997-09-04 1997-10-07 1997-11-06"},
		"FREQ=MONTHLY;COUNT=4;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2": {
			"1997-09-29", "1997-09-29 1997-10-30 1997-11-27 1997-12-30",
		},
		"FREQ=YEARLY;INTERVAL=3;COUNT=7;BYYEARDAY=1,100,200": {
			"1997-01-01", "1997-01-01 1997-04-10 1997-07-19 2000-01-01 2000-04-09 2000-07-18 2003-01-01",
		},
		"FREQ=YEARLY;BYDAY=20MO;COUNT=3":           {"1997-05-19", "1997-05-19 1998-05-18 1999-05-17"},
		"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3": {"1997-05-12", "1997-05-12 1998-05-11 1999-05-17"},
		"FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=5": {
			"1997-03-13", "1997-03-13 1997-03-20 1997-03-27 1998-03-05 1998-03-12",
		},
		"FREQ=YEARLY;INTERVAL=2;COUNT=4;BYMONTH=1,2,3":  {"1997-03-10", "1997-03-10 1999-01-10 1999-02-10 1999-03-10"},
		"FREQ=DAILY;INTERVAL=10;COUNT=3;BYMONTH=1,9,10": {"1997-09-22", "1997-09-22 1997-10-02 1997-10-12"},
		"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3": {
			"1996-11-05", "1996-11-05 2000-11-07 2004-11-02",
		},
	} {
		t.Run(rule, func(t *testing.T) {
			r, err := parseRecurrence(rule)
			if err != nil {
				t.Fatal(err)
			}
			day, err := time.Parse(dateLayout, tc.first)
			if err != nil {
				t.Fatal(err)
			}
			first, budget := dayNumber(day), 1<<20
			days, err := r.expand(first, first, first+40*366, &budget)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, day := range days {
				got = append(got, dateOf(day).Format(dateLayout))
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("-want, +got\n%s", diff)
			}
		})
	}
}

// TestExpandFromIsATail checks that an expansion from a later day has the same days from there on.
func TestExpandFromIsATail(t *testing.T) {
	first := dayNumber(time.Date(1969, 1, 31, 0, 0, 0, 0, time.UTC))
	for _, text := range []string{
		"FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU", "FREQ=MONTHLY;INTERVAL=5",
		"FREQ=MONTHLY;BYDAY=-2WE", "FREQ=YEARLY;INTERVAL=3;BYMONTH=2,11;BYDAY=1MO", "FREQ=YEARLY;BYWEEKNO=-1,1",
		"FREQ=DAILY;COUNT=9000", "FREQ=YEARLY;BYDAY=20MO;COUNT=80", "FREQ=MONTHLY;BYMONTHDAY=30,-1;BYSETPOS=-1",
	} {
		r, err := parseRecurrence(text)
		if err != nil {
			t.Fatal(err)
		}
		to, budget := first+80*366, 1<<30
		all, err := r.expand(first, first, to, &budget)
		if err != nil || len(all) < 5 {
			t.Fatalf("%s: %d days, %v", text, len(all), err)
		}
		for _, from := range []int{first, first + 1, first + 400, all[len(all)/2], all[len(all)-1]} {
			tail, err := r.expand(first, from, to, &budget)
			if err != nil {
				t.Fatal(err)
			}
			want := all
			for len(want) > 0 && want[0] < from {
				want = want[1:]
			}
			if diff := cmp.Diff(want, tail); diff != "" {
				t.Errorf("%s from %s: -want, +got\n%s", text, dateOf(from), diff)
			}
		}
	}
}
