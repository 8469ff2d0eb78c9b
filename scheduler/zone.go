package scheduler

import (
	"sort"
	"time"
	_ "time/tzdata" // the zone database is built in, as slim images have none; a few hundred kB
)

// zone converts between instants and the wall times of a time zone. It is a table of the periods
// between two clock changes. Within such a period, the wall time is the instant plus an offset.
//
// All times are in seconds. An instant counts since the Unix epoch. A wall time is the Unix time
// that a UTC clock with the same date and time would have.
type zone struct {
	location *time.Location
	segments []segment
}

// segment is the time between two clock changes. It ends where the next segment begins.
type segment struct {
	start  int64 // instant
	offset int64 // wall time − instant
	// latestBefore is the latest wall time that the clock showed before this segment.
	latestBefore int64
}

// The instants that the table covers: 1970 to 2199, and two days more on each side for offsets.
const (
	minSecond = -2 * secondsPerDay
	maxSecond = (dayCount + 2) * secondsPerDay
)

// newZone makes the table of a location, from minSecond to maxSecond.
func newZone(location *time.Location) *zone {
	z := &zone{location: location}
	latest := int64(minSecond) * 1000 // before the first segment: earlier than every wall time
	for at := int64(minSecond); at < maxSecond; {
		t := time.Unix(at, 0).In(location)
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		if n := len(z.segments); n == 0 || z.segments[n-1].offset != int64(offset) {
			if n > 0 {
				latest = max(latest, at+z.segments[n-1].offset-1)
			}
			z.segments = append(z.segments, segment{start: at, offset: int64(offset), latestBefore: latest})
		}
		if end.IsZero() {
			break
		}
		if end.Unix() <= at {
			// ZoneBounds counts 365 days for every year. On the last day of a leap year, its end is early.
			end = end.Add(24 * time.Hour)
		}
		at = max(end.Unix(), at+1)
	}
	return z
}

// segmentAt returns the index of the segment that contains the instant.
func (z *zone) segmentAt(instant int64) int {
	return max(sort.Search(len(z.segments), func(i int) bool { return z.segments[i].start > instant })-1, 0)
}

// lastInstant returns the last instant of segment i.
func (z *zone) lastInstant(i int) int64 {
	if i+1 < len(z.segments) {
		return z.segments[i+1].start - 1
	}
	return maxSecond
}

// moment is an instant with its place in the table. A schedule looks it up once, and uses it for
// all its windows.
type moment struct {
	instant int64
	segment int // the index of the segment that contains the instant
	// latestWall is the latest wall time that the clock has shown up to the instant. It does not
	// change while the clock repeats an hour.
	latestWall int64
}

// moment looks an instant up in the table.
func (z *zone) moment(instant int64) moment {
	i := z.segmentAt(instant)
	s := z.segments[i]
	return moment{instant: instant, segment: i, latestWall: max(s.latestBefore, instant+s.offset)}
}

// firstInstant returns the first instant at which the wall clock shows wall or a later time. If the
// clock skips wall, this is the instant of the clock change. If the clock shows wall twice, this is
// the first of the two instants.
func (z *zone) firstInstant(wall int64) int64 {
	i := sort.Search(len(z.segments)-1, func(i int) bool { return z.segments[i+1].latestBefore >= wall })
	return max(z.segments[i].start, wall-z.segments[i].offset)
}

// timeAt returns an instant as a [time.Time] in the zone's location.
func (z *zone) timeAt(instant int64) time.Time {
	return time.Unix(instant, 0).In(z.location)
}
