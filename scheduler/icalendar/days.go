package icalendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// recurrence is a parsed RRULE.
type recurrence interface {
	// expand returns the days on which the recurrence starts, and whether these are all. It returns
	// no more than repeatYears years.
	expand(first time.Time) ([]time.Time, bool)
}

// parseRecurrence parses the RRULE of an event that starts on first. A timed event starts at a
// midnight in some zone.
func parseRecurrence(text string, first time.Time, timed bool) (recurrence, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(text)), ";") {
		key, value, _ := strings.Cut(part, "=")
		parts[key] = value
	}
	if until := parts["UNTIL"]; timed && strings.HasSuffix(until, "Z") {
		return nil, fmt.Errorf("UNTIL=%s is a time in UTC, and its day in the zone of the event is not known", until)
	}
	switch parts["FREQ"] {
	case "YEARLY":
		return parseRule(parts, first)
	case "DAILY", "WEEKLY":
		return parseEveryDays(parts, first)
	}
	return nil, fmt.Errorf("FREQ is %q, and only YEARLY, WEEKLY and DAILY are supported", parts["FREQ"])
}

// everyDays is a daily or weekly recurrence.
type everyDays struct {
	interval int // in weeks where weekdays are set, and otherwise in days
	weekdays []time.Weekday
	count    int
	until    time.Time
}

func parseEveryDays(parts map[string]string, first time.Time) (everyDays, error) {
	e := everyDays{interval: 1}
	if parts["FREQ"] == "WEEKLY" {
		e.weekdays = []time.Weekday{first.Weekday()}
	}
	for key, value := range parts {
		number, numberErr := strconv.Atoi(value)
		var err error
		switch key {
		case "FREQ", "":
		case "WKST":
			if value != "MO" && parts["INTERVAL"] != "" {
				err = errors.New("weeks that do not begin on Monday are not supported together with INTERVAL")
			}
		case "INTERVAL":
			e.interval, err = number, within(number, numberErr, maxEventDays)
		case "COUNT":
			e.count, err = number, positive(number, numberErr)
		case "UNTIL":
			e.until, err = parseUntil(value)
		case "BYDAY":
			e.weekdays, err = weekdaysOf(value)
			if parts["FREQ"] == "DAILY" && parts["INTERVAL"] != "" {
				err = errors.New("it is not supported together with INTERVAL")
			}
		default:
			err = errors.New("it is not supported")
		}
		if err != nil {
			return everyDays{}, fmt.Errorf("%s=%s: %w", key, value, err)
		}
	}
	return e, nil
}

func weekdaysOf(value string) ([]time.Weekday, error) {
	var days []time.Weekday
	for code := range strings.SplitSeq(value, ",") {
		i := slices.Index(weekdayCodes, code)
		if i < 0 {
			return nil, fmt.Errorf("%q is not a weekday such as MO", code)
		}
		if !slices.Contains(days, time.Weekday(i)) {
			days = append(days, time.Weekday(i))
		}
	}
	return days, nil
}

func (e everyDays) expand(first time.Time) ([]time.Time, bool) {
	last := first.AddDate(repeatYears, 0, 0)
	complete := false
	if !e.until.IsZero() && e.until.Before(last) {
		last, complete = e.until, true
	}
	sinceMonday := (int(first.Weekday()) + 6) % 7
	var starts []time.Time
	for i := 0; i <= int(last.Sub(first)/(24*time.Hour)); i++ {
		weekday := time.Weekday((int(first.Weekday()) + i) % 7)
		switch {
		case e.weekdays == nil && i%e.interval != 0:
			continue
		case e.weekdays != nil && (!slices.Contains(e.weekdays, weekday) || (sinceMonday+i)/7%e.interval != 0):
			continue
		}
		if starts = append(starts, first.AddDate(0, 0, i)); len(starts) == e.count {
			return starts, true
		}
	}
	return starts, complete
}
