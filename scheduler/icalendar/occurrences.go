package icalendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// occurrence is one occurrence of an event: its name, its first day and how many days it lasts.
type occurrence struct {
	name      string
	day, days int
}

// future is a change of an occurrence and of all later ones.
type future struct {
	from      int // the first day of the first of them
	shift     int // in days
	days      int
	name      string
	cancelled bool
}

// forFuture reports whether an event replaces an occurrence and all later ones.
func (e *event) forFuture() bool { return isName(e.replaces.params["RANGE"], "THISANDFUTURE") }

// replaced reads the events that replace occurrences of e: the days that have no occurrence because
// of them, and the changes of all later ones.
func (in *reader) replaced(e *event, start moment) (days map[int]bool, futures []future) {
	days = map[int]bool{}
	for _, change := range in.changes[e.uid] {
		m, err := momentOf(*change.replaces)
		if err == nil {
			m, err = e.onWall(m, start)
		}
		if err != nil {
			in.note(e.name, "RECURRENCE-ID %q is skipped: %v", change.replaces.value, err)
			continue
		}
		day := dayNumber(m.day)
		if !change.forFuture() {
			days[day] = true
			continue
		}
		f := future{from: day, name: change.name, cancelled: change.cancelled}
		if !f.cancelled {
			moved, length, ok := in.wholeDays(change)
			f.cancelled, f.shift, f.days = !ok, dayNumber(moved.day)-day, length
		}
		futures = append(futures, f)
	}
	slices.SortFunc(futures, func(a, b future) int { return a.from - b.from })
	return days, futures
}

// occurrences adds the days of an event that starts at start and lasts a number of days, for each
// of its recurrences.
func (in *reader) occurrences(e *event, start moment, days int) error {
	// Programs that give all events one UID must not make every change one of every event.
	if in.examine -= len(in.changes[e.uid]); in.examine < 0 {
		return in.tooMany(e, errBudget)
	}
	except, futures := in.replaced(e, start)
	for _, o := range in.dates(e, start, 1, "EXDATE") {
		except[o.day] = true
	}
	found := in.dates(e, start, days, "RDATE")
	rules, ok := in.recurrences(e, start, "RRULE")
	excluded, _ := in.recurrences(e, start, "EXRULE")
	if ok && len(rules) == 1 && len(except)+len(futures)+len(excluded) == 0 && in.yearly(e, rules[0], start, days) {
		rules = nil
	} else if len(rules) == 0 {
		found = append(found, occurrence{e.name, dayNumber(start.day), days})
	}
	if err := in.exclude(e, excluded, start, days, except); err != nil {
		return err
	}
	repeated, err := in.repeated(e, rules, start, days)
	if err != nil {
		return err
	}
	for _, o := range append(found, repeated...) {
		if !except[o.day] {
			in.keep(changed(o, futures))
		}
	}
	return nil
}

// exclude adds the days of rules that exclude occurrences to except.
func (in *reader) exclude(e *event, rules []recurrence, start moment, days int, except map[int]bool) error {
	for _, r := range rules {
		starts, _, err := in.expand(r, start, days)
		if err != nil {
			return in.tooMany(e, err)
		}
		for _, day := range starts {
			except[day] = true
		}
	}
	return nil
}

// repeated returns the occurrences of the rules of an event.
func (in *reader) repeated(e *event, rules []recurrence, start moment, days int) ([]occurrence, error) {
	var out []occurrence
	for _, r := range rules {
		starts, note, err := in.expand(r, start, days)
		if err != nil {
			return nil, in.tooMany(e, err)
		}
		if note != "" {
			in.note(e.name, "%s", note)
		}
		for _, day := range starts {
			out = append(out, occurrence{e.name, day, days})
		}
	}
	return out, nil
}

func (in *reader) tooMany(e *event, err error) error {
	return fmt.Errorf("%s: %w: end its recurrence earlier, or split the file", e.name, err)
}

// changed returns an occurrence after the last change that applies to it. A cancelled one lasts no
// day.
func changed(o occurrence, futures []future) occurrence {
	for _, f := range slices.Backward(futures) {
		switch {
		case o.day < f.from:
			continue
		case f.cancelled:
			o.days = 0
			return o
		}
		return occurrence{f.name, o.day + f.shift, f.days}
	}
	return o
}

// recurrences reads the rules of an event. It notes a rule that cannot be converted, and reports
// false then.
func (in *reader) recurrences(e *event, start moment, which string) (rules []recurrence, ok bool) {
	ok = true
	for _, p := range e.component.all(which) {
		r, err := parseRecurrence(p.value)
		if err == nil && r.until != "" {
			r.last, err = e.lastDay(r.until, start)
		}
		switch {
		case err != nil && which == "EXRULE":
			in.note(e.name, "EXRULE %q is skipped: %v", p.value, err)
		case err != nil:
			in.note(e.name, "only %s is kept, because the recurrence %q cannot be converted: %v",
				start.day.Format(dateLayout), p.value, err)
			ok = false
		default:
			rules = append(rules, r)
		}
	}
	return rules, ok
}

// lastDay returns the last day that UNTIL allows. It returns noEnd where that is after the last
// year of a Calendar.
func (e *event) lastDay(until string, start moment) (int, error) {
	date, _, _ := strings.Cut(until, "T")
	if day, err := time.Parse("20060102", date); err == nil && day.Year() > lastYear {
		return noEnd, nil
	}
	m, err := parseMoment(until, start.zoneID)
	if err != nil {
		return 0, err
	}
	if wall, err := e.onWall(m, start); err == nil {
		// For a date, UNTIL is a date too. A time in UTC that is the end of a day where the event
		// is means that day; any other time of day means the date that it is written with.
		if !start.isDate || wall.seconds == 0 || wall.seconds >= secondsPerDay-60 {
			m = wall
		}
	} else if !start.isDate {
		return 0, fmt.Errorf("UNTIL=%s is a time in UTC, and its day in the zone of the event is not known", until)
	}
	return dayNumber(m.day), nil
}

// expand returns the days on which a recurrence starts that can have days from From on. The note
// says where there are none at all, and until when an endless recurrence is expanded.
func (in *reader) expand(r recurrence, start moment, days int) (starts []int, note string, err error) {
	first := dayNumber(start.day)
	from, base := first, start.day
	if !in.options.From.IsZero() {
		from = max(first, dayNumber(in.options.From)-days+1)
	}
	from = max(from, dayNumber(time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC))-days+1)
	for _, t := range []time.Time{in.options.From, in.options.Now} {
		if t.After(base) {
			base = t
		}
		if !in.options.From.IsZero() {
			break
		}
	}
	horizon := base.AddDate(repeatYears, 0, 0)
	to := dayNumber(horizon)
	if r.last < first {
		return nil, fmt.Sprintf("skipped, because its recurrence ends before it begins on %s",
			start.day.Format(dateLayout)), nil
	}
	// One day more than is kept tells whether the recurrence goes on.
	more, err := r.expand(first, from, dayNumber(horizon.AddDate(repeatYears, 0, 0)), &in.examine)
	if err != nil {
		return nil, "", err
	}
	if len(more) == 0 && from == first && r.last == noEnd {
		return []int{first}, fmt.Sprintf("only %s is kept, because no day has the properties of its recurrence",
			start.day.Format(dateLayout)), nil
	}
	for _, day := range more {
		if day > to {
			return starts, fmt.Sprintf("its dates are kept until %d: import the file again by then", horizon.Year()), nil
		}
		starts = append(starts, day)
	}
	return starts, "", nil
}
