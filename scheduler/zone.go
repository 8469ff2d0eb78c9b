package scheduler

import (
	"sort"
	"time"
	_ "time/tzdata" // slim images have no zone database; a few hundred kB are better than peaks at wrong hours
)

// zone is the wall clock of a place, as a table. Between two clock changes, the wall time is the
// instant plus an offset. All times are in seconds: instants since the Unix epoch, wall times as if
// the wall clock were UTC.
type zone struct {
	location *time.Location
	segments []segment
}

// segment is the time between two clock changes. It ends where the next segment begins.
type segment struct {
	start  int64 // instant
	offset int64 // wall minus instant
	// reached is the latest wall time that was shown before this segment.
	reached int64
}

const (
	minSecond = -2 * secondsPerDay
	maxSecond = (dayCount + 2) * secondsPerDay
)

// newZone makes the table of a location for all years that are evaluated.
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
			end = end.Add(24 * time.Hour) // the library ends every year after 365 days, leap years too
		}
		at = max(end.Unix(), at+1)
	}
	return z
}

// index returns the segment that contains the instant.
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

// moment is an instant together with what the clock of the zone shows. It is computed once for all
// windows of a schedule.
type moment struct {
	instant int64
	segment int
	// reached is the latest wall time that was shown up to now. While the clock repeats an hour, it
	// does not change.
	reached int64
}

// moment looks an instant up in the table.
func (z *zone) moment(instant int64) moment {
	i := z.index(instant)
	s := z.segments[i]
	return moment{instant: instant, segment: i, reached: max(s.reached, instant+s.offset)}
}

// first returns the first instant at which the wall clock shows wall or a later time. For a time
// that the clock skips, that is the instant of the change. For a time that is shown twice, it is
// the first of the two.
func (z *zone) first(wall int64) int64 {
	i := sort.Search(len(z.segments)-1, func(i int) bool { return z.segments[i+1].reached >= wall })
	return max(z.segments[i].start, wall-z.segments[i].offset)
}

// time returns an instant on the wall clock of the zone.
func (z *zone) time(instant int64) time.Time {
	return time.Unix(instant, 0).In(z.location)
}
