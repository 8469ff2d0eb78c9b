package scheduler

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestZoneTableEqualsLibrary compares the table with the time package, at random instants and
// around every clock change.
func TestZoneTableEqualsLibrary(t *testing.T) {
	for _, name := range testZones {
		location, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := newZone(location)
		r := rand.New(rand.NewPCG(3, 4))
		check := func(instant int64) {
			_, want := time.Unix(instant, 0).In(location).Zone()
			if got := z.segments[z.segmentAt(instant)].offset; got != int64(want) {
				t.Fatalf("%s at %s: offset is %d, the library says %d", name, time.Unix(instant, 0).UTC(), got, want)
			}
		}
		for range 20000 {
			check(r.Int64N(dayCount * secondsPerDay))
		}
		for _, s := range z.segments[1:] {
			check(s.start - 1)
			check(s.start)
		}
		for year := firstYear; year <= lastYear; year++ {
			newYear := int64(date{year, 1, 1}.number()) * secondsPerDay
			for _, around := range []int64{-2 * secondsPerDay, -secondsPerDay, -1, 0, secondsPerDay} {
				check(max(newYear+around, 0))
			}
		}
	}
}

func TestDatesEqualLibrary(t *testing.T) {
	for day := range dayCount {
		want := time.Unix(int64(day)*secondsPerDay, 0).UTC()
		got := dateOf(day)
		if (got != date{want.Year(), int(want.Month()), want.Day()}) || got.number() != day ||
			weekdayOf(day) != int(want.Weekday()) {
			t.Fatalf("day %d is %v, weekday %d; the library says %s, %s", day, got, weekdayOf(day),
				want.Format(dateLayout), want.Weekday())
		}
	}
	if last := formatDay(dayCount - 1); last != "2199-12-31" {
		t.Errorf("the last day is %s", last)
	}
}
