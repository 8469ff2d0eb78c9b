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
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	maxBytes        = 4 << 20
	maxNameLength   = 128
	maxDays         = 512
	maxDatesPerName = 64
	maxEventDays    = 366
	repeatYears     = 10
	lastYear        = 2199
	// maxExpandedDays bounds the days of all events of a file, recurrences included. It is many
	// times what a Calendar can have.
	maxExpandedDays = 1 << 18
	dateLayout      = "2006-01-02"
)

// Options say what to read.
type Options struct {
	// From is the first day that is kept; zero keeps all. Yearly rules have no first day, and are
	// always kept.
	From time.Time
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
	dates   map[string]map[string]bool // name to dates
	rules   map[string][]v1alpha1.YearlyRule
	notes   []string
	// expanded counts the days of all events, recurrences included.
	expanded int
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
	calendar, err := ics.ParseCalendar(strings.NewReader(string(text)))
	if err != nil {
		return Result{}, fmt.Errorf("this is not an iCalendar file: %w", err)
	}
	in := reader{options: options, dates: map[string]map[string]bool{}, rules: map[string][]v1alpha1.YearlyRule{}}
	for _, event := range calendar.Events() {
		if in.event(event); in.expanded > maxExpandedDays {
			return Result{Notes: in.notes}, fmt.Errorf("the events of the iCalendar file have more than %d days: "+
				"end their recurrences earlier, or split the file", maxExpandedDays)
		}
	}
	return in.result()
}

func (in *reader) note(name, format string, args ...any) {
	in.notes = append(in.notes, name+": "+fmt.Sprintf(format, args...))
}

// event adds the days of one event.
func (in *reader) event(event *ics.VEvent) {
	name := nameOf(event)
	status := event.GetProperty(ics.ComponentPropertyStatus)
	if status != nil && strings.EqualFold(status.Value, "CANCELLED") {
		in.note(name, "skipped, because it is cancelled")
		return
	}
	if event.GetProperty("RECURRENCE-ID") != nil {
		in.note(name, "skipped, because it moves one occurrence of a recurring event: check the dates of that event")
		return
	}
	first, err := dateOf(event.GetProperty(ics.ComponentPropertyDtStart))
	if err != nil {
		in.note(name, "skipped: %v", err)
		return
	}
	days, err := lengthOf(event, first)
	if timed(event) && (err != nil || days < 1) {
		in.note(name, "skipped, because it does not last from one midnight to another, and a Calendar has whole days: "+
			"declare it as a window of a PeakSchedule")
		return
	}
	if err != nil {
		in.note(name, "only its first day is kept: %v", err)
	}
	in.occurrences(event, name, first, max(days, 1)) // some programs write the first day as the end
}

// occurrences adds the days of an event that starts on first and lasts a number of days, for each
// of its recurrences.
func (in *reader) occurrences(event *ics.VEvent, name string, first time.Time, days int) {
	except := map[time.Time]bool{}
	for _, day := range in.dateList(event, name, ics.ComponentPropertyExdate) {
		except[day] = true
	}
	starts := []time.Time{first}
	if property := event.GetProperty(ics.ComponentPropertyRrule); property != nil {
		recurs, err := parseRecurrence(property.Value, first, timed(event))
		yearly, isYearly := recurs.(rule)
		switch {
		case err != nil:
			in.note(name, "only %s is kept, because the recurrence %q cannot be converted: %v",
				first.Format(dateLayout), property.Value, err)
		case isYearly && yearly.endless() && len(except) == 0 && yearly.hasRules(days):
			in.rules[name] = append(in.rules[name], yearly.days(days)...)
			starts = nil
		default:
			var complete bool
			starts, complete = recurs.expand(first)
			switch {
			case len(starts) == 0:
				in.note(name, "skipped, because its recurrence %q ends before it begins", property.Value)
			case !complete:
				in.note(name, "its dates are kept until %d: import the file again by then", first.Year()+repeatYears)
			}
		}
	}
	starts = append(starts, in.dateList(event, name, ics.ComponentPropertyRdate)...)
	if in.expanded += len(starts) * days; in.expanded > maxExpandedDays {
		return
	}
	for _, start := range starts {
		if !except[start] {
			in.keep(name, start, days)
		}
	}
}

// keep adds the days of one occurrence.
func (in *reader) keep(name string, start time.Time, days int) {
	for i := range days {
		day := start.AddDate(0, 0, i)
		if day.Before(in.options.From) {
			continue
		}
		if in.dates[name] == nil {
			in.dates[name] = map[string]bool{}
		}
		in.dates[name][day.Format(dateLayout)] = true
	}
}
