package scheduler

import (
	"sort"
	"time"
	_ "time/tzdata" // a slim image has no zone database, and a peak at the wrong hour is worse than a few hundred kilobytes
)

// zone is the wall clock of a place as a table: between two changes of the clock the wall shows the instant plus an offset.
// All times are in seconds, instants since the Unix epoch, wall times as if the wall clock were UTC.
type zone struct {
	location *time.Location
	segments []segment
}

// segment is a time without a change of the clock. It lasts until the next one begins.
type segment struct {
	start  int64 // instant
	offset int64 // wall minus instant
	// reached is the largest wall time that was ever shown before this segment.
	reached int64
}

const (
	minSecond = -2 * secondsPerDay
	maxSecond = (dayCount + 2) * secondsPerDay
)

func newZone(location *time.Location) *zone {
	z := &zone{location: location}
	reached := int64(minSecond) * 1000
	for at := int64(minSecond); at < maxSecond; {
		t := time.Unix(at, 0).In(location)
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		if n := len(z.segments); n == 0 || z.segments[n-1].offset != int64(offset) {
			if n > 0 {
				reached = max(reached, at+z.segments[n-1].offset-1)
			}
			z.segments = append(z.segments, segment{start: at, offset: int64(offset), reached: reached})
		}
		if end.IsZero() {
			break
		}
		if end.Unix() <= at {
			end = end.Add(24 * time.Hour) // the library ends every year after 365 days, also those of 366
		}
		at = max(end.Unix(), at+1)
	}
	return z
}

// index returns the segment that instant lies in.
func (z *zone) index(instant int64) int {
	return max(sort.Search(len(z.segments), func(i int) bool { return z.segments[i].start > instant })-1, 0)
}

// end returns the last instant of segment i.
func (z *zone) end(i int) int64 {
	if i+1 < len(z.segments) {
		return z.segments[i+1].start - 1
	}
	return maxSecond
}

// moment is an instant with what the zone's clock shows: worked out once for all windows of a schedule.
type moment struct {
	instant int64
	segment int
	// reached is the largest wall time that was shown up to now. It stands still while the clock repeats itself.
	reached int64
}

func (z *zone) moment(instant int64) moment {
	i := z.index(instant)
	s := z.segments[i]
	return moment{instant: instant, segment: i, reached: max(s.reached, instant+s.offset)}
}

// first returns the first instant at which the wall clock shows wall or later. So a time that the clock skips is the instant
// of the change, and of a time that is shown twice it is the first.
func (z *zone) first(wall int64) int64 {
	i := sort.Search(len(z.segments)-1, func(i int) bool { return z.segments[i+1].reached >= wall })
	return max(z.segments[i].start, wall-z.segments[i].offset)
}

// time returns an instant on the zone's wall clock.
func (z *zone) time(instant int64) time.Time {
	return time.Unix(instant, 0).In(z.location)
}
