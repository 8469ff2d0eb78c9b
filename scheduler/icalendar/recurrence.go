package icalendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	weekdays     = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	weekdayCodes = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
)

type frequency int

const (
	daily frequency = iota
	weekly
	monthly
	yearly
)

var frequencies = map[string]frequency{"DAILY": daily, "WEEKLY": weekly, "MONTHLY": monthly, "YEARLY": yearly}

// noEnd is the last day of a recurrence without UNTIL.
const noEnd = 1 << 40

// maxInterval bounds INTERVAL, so that sums of days stay exact.
const maxInterval = 1_000_000

// nthWeekday is an item of BYDAY. nth is 0 for every such weekday, and negative from the end.
type nthWeekday struct {
	nth     int
	weekday time.Weekday
}

// recurrence is a parsed RRULE. A period is a day, a week, a month or a year. The days of a period
// that have all of the properties of the rule are its occurrences.
type recurrence struct {
	frequency frequency
	interval  int
	count     int    // 0 for any number
	until     string // UNTIL as it is written; empty for no end
	last      int    // the last day that UNTIL allows, once the caller has set it; or noEnd
	weekStart time.Weekday

	months, monthDays, yearDays, weeks, positions []int
	weekdays                                      []nthWeekday
}

// parseRecurrence parses an RRULE.
func parseRecurrence(text string) (recurrence, error) {
	r := recurrence{interval: 1, weekStart: time.Monday, last: noEnd}
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(text)), ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(part), "="); key != "" {
			parts[key] = strings.TrimSpace(value)
		}
	}
	var ok bool
	if r.frequency, ok = frequencies[parts["FREQ"]]; !ok {
		return recurrence{}, fmt.Errorf("FREQ is %q, and only YEARLY, MONTHLY, WEEKLY and DAILY are supported", parts["FREQ"])
	}
	for key, value := range parts {
		if err := r.set(key, value); err != nil {
			return recurrence{}, fmt.Errorf("%s=%s: %w", key, value, err)
		}
	}
	return r, nil
}

// set takes one part of a rule into account.
func (r *recurrence) set(key, value string) error {
	switch key {
	case "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST":
		return r.setPeriods(key, value)
	case "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYDAY":
		return r.setDays(key, value)
	case "BYHOUR", "BYMINUTE", "BYSECOND":
		if strings.Trim(value, "0") != "" {
			return errors.New("it names a time of day, and a Calendar has whole days")
		}
		return nil
	case "RSCALE":
		if value != "GREGORIAN" {
			return errors.New("only the Gregorian calendar is supported")
		}
		return nil
	case "SKIP":
		if value == "OMIT" {
			return nil
		}
	}
	return errors.New("it is not supported")
}

// setPeriods sets which periods have occurrences.
func (r *recurrence) setPeriods(key, value string) (err error) {
	switch key {
	case "INTERVAL":
		r.interval, err = numberWithin(value, maxInterval)
	case "COUNT":
		r.count, err = numberWithin(value, 1<<40)
	case "UNTIL":
		r.until = value
	case "WKST":
		i := slices.Index(weekdayCodes, value)
		if i < 0 {
			return errors.New("it is not a weekday such as MO")
		}
		r.weekStart = time.Weekday(i)
	}
	return err
}

// setDays sets which days of a period are occurrences.
func (r *recurrence) setDays(key, value string) (err error) {
	switch key {
	case "BYMONTH":
		r.months, err = numbers(value, 1, 12)
	case "BYMONTHDAY":
		r.monthDays, err = numbers(value, -31, 31)
	case "BYYEARDAY":
		r.yearDays, err = numbers(value, -366, 366)
	case "BYWEEKNO":
		r.weeks, err = numbers(value, -53, 53)
	case "BYSETPOS":
		r.positions, err = numbers(value, -366, 366)
	case "BYDAY":
		r.weekdays, err = parseWeekdays(value)
	}
	return err
}

func numberWithin(text string, limit int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("it is not a number above 0")
	}
	return min(n, limit), nil
}

// numbers parses a list of numbers other than 0.
func numbers(text string, least, most int) ([]int, error) {
	var out []int
	for item := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(item))
		if err != nil || n == 0 || n < least || n > most {
			return nil, fmt.Errorf("%q is not a number from %d to %d", item, max(least, 1), most)
		}
		out = append(out, n)
	}
	return out, nil
}

func parseWeekdays(text string) ([]nthWeekday, error) {
	var out []nthWeekday
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		code := item[max(0, len(item)-2):]
		weekday := slices.Index(weekdayCodes, code)
		nth, err := 0, error(nil)
		if ordinal := strings.TrimSuffix(item, code); ordinal != "" {
			nth, err = strconv.Atoi(ordinal)
		}
		if weekday < 0 || err != nil || nth < -53 || nth > 53 {
			return nil, fmt.Errorf("%q is neither a weekday such as MO nor the nth one such as 2MO", item)
		}
		out = append(out, nthWeekday{nth, time.Weekday(weekday)})
	}
	return out, nil
}

// errBudget says that too many days were looked at.
var errBudget = errors.New("its recurrences are too many to expand")
