package scheduler

import (
	"slices"
	"sort"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// Schedule is one compiled PeakSchedule. It is immutable and safe for concurrent use, and it has no
// clock.
type Schedule struct {
	name      string
	zone      *zone
	suspended bool
	windows   []window
	warnings  []string
	// days are those on which windows may start; nil for all days. It is nil too where only days are
	// named on which they may start.
	days *daySet
}

// Calendars are compiled Calendars by name.
type Calendars map[string]*Calendar

// Occurrence is one occurrence of a window.
type Occurrence struct {
	// Schedule is the name of the PeakSchedule, and Window that of the window in it.
	Schedule, Window string
	// Start and End are those of the window without its ramps, on the wall clock of the schedule.
	Start, End time.Time
	// RampUp is the length of the ramp before Start, and RampDown that of the ramp after End.
	RampUp, RampDown time.Duration
	// Demand is what the window says between Start and End.
	Demand Demand
}

// Name returns the name that was passed to Compile.
func (s *Schedule) Name() string { return s.name }

// size returns the number of windows that count.
func (s *Schedule) size() int {
	if s.suspended {
		return 0
	}
	return len(s.windows)
}

// Location returns the zone of the schedule's wall clock.
func (s *Schedule) Location() *time.Location { return s.zone.location }

// Suspended reports whether the Schedule is suspended. A suspended Schedule says nothing, and
// nothing about the past either.
func (s *Schedule) Suspended() bool { return s.suspended }

// Warnings returns sentences about fields that are valid but probably not intended, such as a
// window that never starts.
func (s *Schedule) Warnings() []string { return s.warnings }

// Excluded reports whether some of [from, to) is on a day that spec.except excludes, on the wall clock
// of the schedule. Windows that cross midnight reach into such a day.
func (s *Schedule) Excluded(from, to time.Time) bool {
	if s.days == nil || !from.Before(to) {
		return false
	}
	first, last := dayOf(from.In(s.Location())), dayOf(to.Add(-1).In(s.Location()))
	for day := max(first, 0); day <= min(last, dayCount-1); day++ {
		if !s.days.has(day) {
			return true
		}
	}
	return false
}

// dayOf returns the number of the day of a wall clock.
func dayOf(t time.Time) int {
	return date{t.Year(), int(t.Month()), t.Day()}.number()
}

// At returns what all windows together say about the instant t.
func (s *Schedule) At(t time.Time) Demand {
	demand := Neutral()
	if s.suspended || !inRange(t) {
		return demand
	}
	now := t.UnixNano()
	m := s.zone.moment(floorSecond(now))
	for i := range s.windows {
		w := &s.windows[i]
		if p := w.phaseAt(s.zone, m, now); !p.idle() {
			demand = demand.And(w.value(p, now, true))
		}
	}
	return demand
}

// Active returns the windows that are active at t, in the order of their declaration. A window that
// only ramps is not among them. Of a window that overlaps with itself, it returns the occurrence
// that ends last.
func (s *Schedule) Active(t time.Time) []Occurrence {
	if s.suspended || !inRange(t) {
		return nil
	}
	m := s.zone.moment(floorSecond(t.UnixNano()))
	var active []Occurrence
	for i := range s.windows {
		w := &s.windows[i]
		start, ok := w.lastStart(s.zone, m)
		if !ok {
			continue
		}
		if o := s.occurrence(w, start); t.Before(o.End) {
			active = append(active, o)
		}
	}
	return active
}

// Next returns the first n occurrences that start after t, soonest first. There are fewer where no
// more follow.
func (s *Schedule) Next(t time.Time, n int) []Occurrence {
	if s.suspended || !inRange(t) {
		return nil
	}
	type candidate struct {
		start int64
		w     *window
	}
	m := s.zone.moment(floorSecond(t.UnixNano()))
	var candidates []candidate
	for i := range s.windows {
		w := &s.windows[i]
		if start, ok := w.nextStart(s.zone, m); ok {
			candidates = append(candidates, candidate{start, w})
		}
	}
	var next []Occurrence
	for len(next) < n && len(candidates) > 0 {
		soonest := 0
		for i, c := range candidates {
			if c.start < candidates[soonest].start {
				soonest = i
			}
		}
		c := &candidates[soonest]
		next = append(next, s.occurrence(c.w, c.start))
		start, ok := c.w.nextStart(s.zone, s.zone.moment(c.start))
		if !ok {
			candidates = append(candidates[:soonest], candidates[soonest+1:]...)
			continue
		}
		c.start = start
	}
	return next
}

// Between returns the occurrences that are active at some instant of [from, to), ordered by start,
// and at most limit of them. The second result is false where there are more.
func (s *Schedule) Between(from, to time.Time, limit int) ([]Occurrence, bool) {
	if s.suspended || !inRange(from) || !inRange(to) {
		return nil, true
	}
	var found []Occurrence
	complete := true
	for i := range s.windows {
		w := &s.windows[i]
		start, ok := w.nextStart(s.zone, s.zone.moment(floorSecond(from.UnixNano()-int64(w.duration))))
		for n := 0; ok && s.zone.timeAt(start).Before(to); n++ {
			if n == limit {
				complete = false
				break
			}
			if o := s.occurrence(w, start); o.End.After(from) {
				found = append(found, o)
			}
			start, ok = w.nextStart(s.zone, s.zone.moment(start))
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Start.Before(found[j].Start) })
	if len(found) > limit {
		return found[:limit], false
	}
	return found, complete
}

// Expired returns the names of the windows that occur once and are over at t, ramps included.
func (s *Schedule) Expired(t time.Time) []string {
	var names []string
	for i := range s.windows {
		w := &s.windows[i]
		if w.cron == nil && !s.zone.timeAt(w.once).Add(w.duration+w.rampDown).After(t) {
			names = append(names, w.name)
		}
	}
	return names
}

// NextChange returns the next instant after t at which the result of Active, Next or Expired
// changes. It returns false where there is none.
func (s *Schedule) NextChange(t time.Time) (time.Time, bool) {
	if s.suspended || !inRange(t) {
		return time.Time{}, false
	}
	now := t.UnixNano()
	m := s.zone.moment(floorSecond(now))
	soonest := int64(forever)
	consider := func(instant int64) {
		if instant > now {
			soonest = min(soonest, instant)
		}
	}
	for i := range s.windows {
		w := &s.windows[i]
		if start, ok := w.lastStart(s.zone, m); ok {
			end := start*int64(time.Second) + int64(w.duration)
			consider(end)
			if w.cron == nil {
				consider(end + int64(w.rampDown)) // the window expires
			}
		}
		if start, ok := w.nextStart(s.zone, m); ok {
			consider(start * int64(time.Second))
		}
	}
	return time.Unix(0, soonest), soonest != forever
}

// Needs returns the names of the windows that are not over at t and have no effect on their own.
// Windows in capacity ask for replicas, and need the demand that one replica serves. Windows in
// forecast multiply, and need a forecast.
func (s *Schedule) Needs(t time.Time) (capacity, forecast []string) {
	if s.suspended {
		return nil, nil
	}
	expired := s.Expired(t)
	for i := range s.windows {
		w := &s.windows[i]
		switch {
		case slices.Contains(expired, w.name):
		case w.demand.Replicas > 0:
			capacity = append(capacity, w.name)
		case w.demand.Multiply != 1:
			forecast = append(forecast, w.name)
		}
	}
	return capacity, forecast
}

func (s *Schedule) occurrence(w *window, start int64) Occurrence {
	at := s.zone.timeAt(start)
	return Occurrence{
		Schedule: s.name,
		Window:   w.name,
		Start:    at,
		End:      at.Add(w.duration),
		RampUp:   w.rampUp,
		RampDown: w.rampDown,
		Demand:   w.demand,
	}
}

// inRange reports whether t lies in the years that are evaluated.
func inRange(t time.Time) bool {
	second := t.Unix()
	return second >= 0 && second < dayCount*secondsPerDay
}

// Compile compiles a PeakSchedule. The error joins one [v1alpha1.FieldError] for every field that
// cannot be evaluated.
func Compile(name string, spec v1alpha1.PeakScheduleSpec, calendars Calendars) (*Schedule, error) {
	c := compiler{calendars: calendars}
	s := c.schedule(name, spec)
	c.checkChanges(s)
	if err := c.err(); err != nil {
		return nil, err
	}
	return s, nil
}
