package icalendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// recurrence is what an RRULE comes to.
type recurrence interface {
	// expand returns the days on which the recurrence starts, and whether these are all.
	expand(first time.Time) ([]time.Time, bool)
}

// parseRecurrence reads an RRULE of an event that starts on first, at a midnight in some zone where it is timed.
func parseRecurrence(text string, first time.Time, timed bool) (recurrence, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(text)), ";") {
		key, value, _ := strings.Cut(part, "=")
		parts[key] = value
	}
	if until := parts["UNTIL"]; timed && strings.HasSuffix(until, "Z") {
		return nil, fmt.Errorf("UNTIL=%s is a time in UTC, and its day in the zone of the event is not known here", until)
	}
	switch parts["FREQ"] {
	case "YEARLY":
		return parseRule(parts, first)
	case "DAILY", "WEEKLY":
		return parseEveryDays(parts, first)
	}
	return nil, fmt.Errorf("FREQ is %q, and only YEARLY, WEEKLY and DAILY are read", parts["FREQ"])
}

// everyDays is a recurrence by days or weeks.
type everyDays struct {
	interval int // days, or weeks where weekdays are set
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
				err = errors.New("weeks that do not begin on Monday are not read together with INTERVAL")
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
				err = errors.New("it is not read together with INTERVAL")
			}
		default:
			err = errors.New("it is not known here")
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
	last := first.AddDate(yearsOfRepeats, 0, 0)
	complete := false
	if !e.until.IsZero() && e.until.Before(last) {
		last, complete = e.until, true
	}
	sinceMonday := (int(first.Weekday()) + 6) % 7
	var starts []time.Time
	for i, most := 0, int(last.Sub(first)/(24*time.Hour)); i <= most; i++ {
		if e.weekdays == nil {
			if i%e.interval != 0 {
				continue
			}
		} else if !slices.Contains(e.weekdays, time.Weekday((int(first.Weekday())+i)%7)) || (sinceMonday+i)/7%e.interval != 0 {
			continue
		}
		if starts = append(starts, first.AddDate(0, 0, i)); len(starts) == e.count {
			return starts, true
		}
	}
	return starts, complete
}
