// Package icalendar reads the all-day events of an iCalendar file (RFC 5545) as the days of a Calendar.
//
// Only days matter: an event that has a time of day is left out. A yearly recurrence becomes a yearly rule where one says the
// same; a recurrence with an end or an interval becomes explicit dates. Whatever could not be carried over is named.
package icalendar

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

const (
	maxBytes        = 4 << 20
	maxNameLength   = 128
	maxDays         = 512
	maxDatesPerName = 64
	maxEventDays    = 366
	yearsOfRepeats  = 10
	lastYear        = 2199
	// mostExpanded is how many days all events of a file may come to, recurrences and all: many times what a Calendar holds.
	mostExpanded = 1 << 18
	dateLayout   = "2006-01-02"
)

// Options say what to read.
type Options struct {
	// From is the first day that is kept, where it is not zero. Yearly rules have no beginning and are always kept.
	From time.Time
}

// Result is what was read.
type Result struct {
	// Spec is the Calendar, its days sorted by name.
	Spec v1alpha1.CalendarSpec
	// Notes name what could not be carried over, and why.
	Notes []string
}

// reader collects the days of one file.
type reader struct {
	options Options
	dates   map[string]map[string]bool // name to dates
	rules   map[string][]v1alpha1.YearlyRule
	notes   []string
	// expanded counts the days of all events.
	expanded int
}

// Read reads an iCalendar file.
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
		if in.event(event); in.expanded > mostExpanded {
			return Result{Notes: in.notes}, fmt.Errorf("the events of the iCalendar file come to more than %d days: end their recurrences earlier, or split the file", mostExpanded)
		}
	}
	return in.result()
}

func (in *reader) note(name, format string, args ...any) {
	in.notes = append(in.notes, fmt.Sprintf("%s: ", name)+fmt.Sprintf(format, args...))
}

func (in *reader) event(event *ics.VEvent) {
	name := nameOf(event)
	if property := event.GetProperty(ics.ComponentPropertyStatus); property != nil && strings.EqualFold(property.Value, "CANCELLED") {
		in.note(name, "left out, for it is cancelled")
		return
	}
	if event.GetProperty("RECURRENCE-ID") != nil {
		in.note(name, "left out, for it moves one occurrence of a recurring event: check the dates of that event")
		return
	}
	first, err := dateOf(event.GetProperty(ics.ComponentPropertyDtStart))
	if err != nil {
		in.note(name, "left out: %v", err)
		return
	}
	days, err := lengthOf(event, first)
	if timed(event) && (err != nil || days < 1) {
		in.note(name, "left out, for it does not last from one midnight to another, and a Calendar has whole days: declare it as a window of a PeakSchedule")
		return
	}
	if err != nil {
		in.note(name, "only its first day is kept: %v", err)
	}
	in.occurrences(event, name, first, max(days, 1)) // some programs write the same day as the end
}

// timed reports whether an event begins at a time of day, be it midnight.
func timed(event *ics.VEvent) bool {
	return strings.Contains(event.GetProperty(ics.ComponentPropertyDtStart).Value, "T")
}

// occurrences keeps the days of an event that begins on first and lasts so many days, as often as it recurs.
func (in *reader) occurrences(event *ics.VEvent, name string, first time.Time, days int) {
	except := map[time.Time]bool{}
	for _, day := range in.listed(event, name, ics.ComponentPropertyExdate) {
		except[day] = true
	}
	starts := []time.Time{first}
	if property := event.GetProperty(ics.ComponentPropertyRrule); property != nil {
		recurs, err := parseRecurrence(property.Value, first, timed(event))
		yearly, isYearly := recurs.(rule)
		switch {
		case err != nil:
			in.note(name, "only %s is kept, for the recurrence %q cannot be carried over: %v", first.Format(dateLayout), property.Value, err)
		case isYearly && yearly.endless() && len(except) == 0 && yearly.spread(days):
			in.rules[name] = append(in.rules[name], yearly.days(days)...)
			starts = nil
		default:
			var complete bool
			starts, complete = recurs.expand(first)
			switch {
			case len(starts) == 0:
				in.note(name, "left out, for its recurrence %q ends before it begins", property.Value)
			case !complete:
				in.note(name, "its dates are kept until %d: import the file again by then", first.Year()+yearsOfRepeats)
			}
		}
	}
	starts = append(starts, in.listed(event, name, ics.ComponentPropertyRdate)...)
	if in.expanded += len(starts) * days; in.expanded > mostExpanded {
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

// listed reads EXDATE or RDATE, of which there may be several with several dates each.
func (in *reader) listed(event *ics.VEvent, name string, which ics.ComponentProperty) []time.Time {
	var dates []time.Time
	for _, property := range event.GetProperties(which) {
		for text := range strings.SplitSeq(property.Value, ",") {
			day, err := parseDate(text)
			if err != nil {
				in.note(name, "%s %q is left out: %v", which, text, err)
				continue
			}
			dates = append(dates, day)
		}
	}
	return dates
}

func nameOf(event *ics.VEvent) string {
	name := "unnamed"
	for _, property := range []ics.ComponentProperty{ics.ComponentPropertyUniqueId, ics.ComponentPropertySummary} {
		if p := event.GetProperty(property); p != nil && strings.TrimSpace(p.Value) != "" {
			name = strings.Join(strings.Fields(strings.ToValidUTF8(p.Value, "")), " ")
		}
	}
	// The API counts characters, not bytes.
	if runes := []rune(name); len(runes) > maxNameLength {
		name = string(runes[:maxNameLength])
	}
	return cmp.Or(name, "unnamed")
}

func dateOf(property *ics.IANAProperty) (time.Time, error) {
	if property == nil {
		return time.Time{}, errors.New("it has no DTSTART")
	}
	return parseDate(property.Value)
}

// parseDate reads a date. A midnight that is not one of UTC is its date: so some programs write days, in a zone or in none.
func parseDate(text string) (time.Time, error) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "T000000")
	if strings.Contains(text, "T") {
		return time.Time{}, fmt.Errorf("%q is a time of day, and a Calendar has whole days: declare it as a window of a PeakSchedule", text)
	}
	day, err := time.Parse("20060102", text)
	if err != nil || day.Year() < 1970 || day.Year() > lastYear {
		return time.Time{}, fmt.Errorf("%q is not a date from 1970 to 2199", text)
	}
	return day, nil
}

// lengthOf returns how many days an event lasts. DTEND is the first day after it. One that begins at a time and does not say how long
// it lasts, lasts none.
func lengthOf(event *ics.VEvent, first time.Time) (int, error) {
	days := 1
	if timed(event) {
		days = 0
	}
	if property := event.GetProperty(ics.ComponentPropertyDtEnd); property != nil {
		end, err := parseDate(property.Value)
		if err != nil {
			return 0, err
		}
		if days = int(end.Sub(first) / (24 * time.Hour)); days < 0 {
			return 0, errors.New("it ends before it begins")
		}
	} else if property := event.GetProperty(ics.ComponentPropertyDuration); property != nil {
		var n int
		var unit string
		if _, err := fmt.Sscanf(property.Value, "P%d%1s", &n, &unit); err != nil || n < 1 || n > maxEventDays || unit != "D" && unit != "W" {
			return 0, fmt.Errorf("its duration %q is not one of days or weeks", property.Value)
		}
		days = n
		if unit == "W" {
			days = n * 7
		}
	}
	if days > maxEventDays {
		return 0, fmt.Errorf("it lasts %d days", days)
	}
	return days, nil
}

// result sorts what was collected, and checks it as the API server and the controller would.
func (in *reader) result() (Result, error) {
	names := map[string]bool{}
	for name := range in.dates {
		names[name] = true
	}
	for name := range in.rules {
		names[name] = true
	}
	var spec v1alpha1.CalendarSpec
	for _, name := range sortedKeys(names) {
		seen := map[v1alpha1.YearlyRule]bool{}
		for _, rule := range in.rules[name] {
			if key := withoutPointers(rule); !seen[key] {
				seen[key] = true
				spec.Days = append(spec.Days, v1alpha1.CalendarDay{Name: name, Yearly: &rule})
			}
		}
		for chunk := range slices.Chunk(ranges(sortedKeys(in.dates[name])), maxDatesPerName) {
			spec.Days = append(spec.Days, v1alpha1.CalendarDay{Name: name, Dates: chunk})
		}
	}
	if len(spec.Days) == 0 {
		return Result{Notes: in.notes}, errors.New("the iCalendar file has no all-day event that can be carried over")
	}
	if len(spec.Days) > maxDays {
		return Result{Notes: in.notes}, fmt.Errorf("the iCalendar file has %d days, a Calendar at most %d: leave out past years with --from, or split the file", len(spec.Days), maxDays)
	}
	if _, err := scheduler.CompileCalendar("imported", spec); err != nil {
		return Result{Notes: in.notes}, fmt.Errorf("what was read is not a Calendar: %w", err)
	}
	return Result{Spec: spec, Notes: in.notes}, nil
}

// withoutPointers makes rules of the same content equal.
func withoutPointers(r v1alpha1.YearlyRule) v1alpha1.YearlyRule {
	month := r.Month * 10000
	if r.Day != nil {
		month += *r.Day
	}
	if r.Weekday != nil && r.Nth != nil {
		month += int32(slices.Index(weekdays, *r.Weekday)+1)*100 + 50 + *r.Nth
	}
	return v1alpha1.YearlyRule{Month: month}
}

// ranges joins dates that follow each other.
func ranges(dates []string) []string {
	var out []string
	for i := 0; i < len(dates); {
		j := i
		for j+1 < len(dates) && follows(dates[j], dates[j+1]) {
			j++
		}
		if i == j {
			out = append(out, dates[i])
		} else {
			out = append(out, dates[i]+"/"+dates[j])
		}
		i = j + 1
	}
	return out
}

func follows(a, b string) bool {
	day, err := time.Parse(dateLayout, a)
	return err == nil && day.AddDate(0, 0, 1).Format(dateLayout) == b
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
