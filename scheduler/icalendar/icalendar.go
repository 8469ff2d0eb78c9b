// Package icalendar reads the all-day events of an iCalendar file (RFC 5545) as the days of a
// Calendar.
//
// Only whole days count, so an event with a time of day is skipped. A yearly recurrence becomes a
// yearly rule where such a rule has the same days. Other recurrences become a list of dates. A note
// names everything that cannot be converted.
package icalendar

import (
	"fmt"
	"io"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	maxBytes        = 4 << 20
	maxNameLength   = 128
	maxDays         = 512
	maxDatesPerName = 64
	maxEventDays    = 366
	repeatYears     = 10
	firstYear       = 1970 // of a Calendar
	lastYear        = 2199
	// maxExpandedDays bounds the days of all events of a file, recurrences included. It is many
	// times what a Calendar can have.
	maxExpandedDays = 1 << 18
	// maxExaminedDays bounds the days that are looked at to find recurrences.
	maxExaminedDays = 1 << 24
	dateLayout      = "2006-01-02"
)

// Options say what to read.
type Options struct {
	// From is the first day that is kept; zero keeps all. Yearly rules have no first day, and are
	// always kept.
	From time.Time
	// Now is the day from which on recurrences without an end are expanded where From is zero and
	// they began earlier. Zero stands for their own beginning.
	Now time.Time
}

// Result is the converted calendar.
type Result struct {
	// Spec is the Calendar, its days sorted by name.
	Spec v1alpha1.CalendarSpec
	// Notes say what could not be converted, and why.
	Notes []string
}

// reader collects the days of one file.
type reader struct {
	options Options
	dated   map[string]map[string]bool // name to dates
	rules   map[string][]v1alpha1.YearlyRule
	notes   []string
	noted   map[string]bool // the notes
	// expanded counts the days of all events, recurrences included. examine is how many days may
	// still be looked at.
	expanded, examine int
	// changes are the events that replace an occurrence of another one, by its UID.
	changes map[string][]*event
	// masters are the events that are no changes, by UID: whether one of them is not cancelled.
	masters map[string]bool
}

// Read reads an iCalendar file. The error says why nothing can be converted; Result.Notes name
// single events that cannot.
func Read(r io.Reader, options Options) (Result, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return Result{}, fmt.Errorf("cannot read the iCalendar file: %w", err)
	}
	if len(text) > maxBytes {
		return Result{}, fmt.Errorf("the iCalendar file is larger than %d MiB: export fewer years of it", maxBytes>>20)
	}
	calendars, err := parseStream(string(text))
	if err != nil {
		return Result{}, fmt.Errorf("this is not an iCalendar file: %w", err)
	}
	in := reader{
		options: options, dated: map[string]map[string]bool{}, rules: map[string][]v1alpha1.YearlyRule{},
		examine: maxExaminedDays, changes: map[string][]*event{}, masters: map[string]bool{},
		noted: map[string]bool{},
	}
	for _, e := range in.current(calendars) {
		if err := in.event(e); err != nil {
			return Result{Notes: in.notes}, err
		}
	}
	return in.result()
}

// note notes something about an event, once.
func (in *reader) note(name, format string, args ...any) {
	text := name + ": " + fmt.Sprintf(format, args...)
	if !in.noted[text] {
		in.noted[text] = true
		in.notes = append(in.notes, text)
	}
}

// eventKey identifies the versions of an event, or of one occurrence of it.
type eventKey struct{ uid, replaces string }

// current returns the events of all calendars, without versions that a later one replaces. It keeps
// the events that replace an occurrence in changes too.
func (in *reader) current(calendars []*component) []*event {
	var events []*event
	newest := map[eventKey]int{}
	key := func(e *event) eventKey {
		k := eventKey{uid: e.uid}
		if e.replaces != nil {
			k.replaces = e.replaces.value
		}
		return k
	}
	for _, calendar := range calendars {
		zones := newZones(calendar)
		cancels := isName(calendar.value("METHOD"), "CANCEL")
		for _, c := range calendar.children {
			if c.name != eventName {
				continue
			}
			e := newEvent(c, zones, zones.find(calendar.value("X-WR-TIMEZONE")), cancels)
			events = append(events, e)
			newest[key(e)] = max(newest[key(e)], e.sequence)
		}
	}
	events = slices.DeleteFunc(events, func(e *event) bool { return e.uid != "" && e.sequence < newest[key(e)] })
	for _, e := range events {
		switch {
		case e.uid == "":
		case e.replaces != nil:
			in.changes[e.uid] = append(in.changes[e.uid], e)
		default:
			in.masters[e.uid] = in.masters[e.uid] || !e.cancelled
		}
	}
	return events
}

// event adds the days of one event.
func (in *reader) event(e *event) error {
	if e.replaces != nil {
		goesOn, known := in.masters[e.uid]
		if e.cancelled || known && (!goesOn || e.forFuture()) {
			return nil // the event that it is a part of takes it into account
		}
	}
	if e.cancelled {
		in.note(e.name, "skipped, because it is cancelled")
		return nil
	}
	start, days, ok := in.wholeDays(e)
	if !ok {
		return nil
	}
	if e.replaces != nil {
		in.keep(occurrence{e.name, dayNumber(start.day), days})
	} else if err := in.occurrences(e, start, days); err != nil {
		return err
	}
	if in.expanded > maxExpandedDays {
		return fmt.Errorf("the events of the iCalendar file have more than %d days: "+
			"end their recurrences earlier, or split the file", maxExpandedDays)
	}
	return nil
}

// keep adds the days of one occurrence.
func (in *reader) keep(o occurrence) {
	for day := o.day; day < o.day+o.days; day++ {
		date := dateOf(day)
		if date.Before(in.options.From) || date.Year() < firstYear || date.Year() > lastYear {
			continue
		}
		if in.dated[o.name] == nil {
			in.dated[o.name] = map[string]bool{}
		}
		in.dated[o.name][date.Format(dateLayout)] = true
		in.expanded++
	}
}
