package icalendar

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// timed reports whether an event begins at a time of day. That can be midnight.
func timed(event *ics.VEvent) bool {
	return strings.Contains(event.GetProperty(ics.ComponentPropertyDtStart).Value, "T")
}

// dateList reads EXDATE or RDATE. An event may have several of them, with several dates each.
func (in *reader) dateList(event *ics.VEvent, name string, which ics.ComponentProperty) []time.Time {
	var dates []time.Time
	for _, property := range event.GetProperties(which) {
		for text := range strings.SplitSeq(property.Value, ",") {
			day, err := parseDate(text)
			if err != nil {
				in.note(name, "%s %q is skipped: %v", which, text, err)
				continue
			}
			dates = append(dates, day)
		}
	}
	return dates
}

// nameOf returns the summary of an event, or its UID where it has none.
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

// parseDate parses a date. A midnight without a zone or in a zone other than UTC stands for its
// date, because some programs write days like that.
func parseDate(text string) (time.Time, error) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "T000000")
	if strings.Contains(text, "T") {
		return time.Time{}, fmt.Errorf("%q is a time of day, and a Calendar has whole days: "+
			"declare it as a window of a PeakSchedule", text)
	}
	day, err := time.Parse("20060102", text)
	if err != nil || day.Year() < 1970 || day.Year() > lastYear {
		return time.Time{}, fmt.Errorf("%q is not a date from 1970 to 2199", text)
	}
	return day, nil
}

// lengthOf returns how many days an event lasts. DTEND is the first day after the event. An event
// that begins at a time and has neither an end nor a duration lasts no day.
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
		_, err := fmt.Sscanf(property.Value, "P%d%1s", &n, &unit)
		if err != nil || n < 1 || n > maxEventDays || unit != "D" && unit != "W" {
			return 0, fmt.Errorf("its duration %q is not a number of days or weeks", property.Value)
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
