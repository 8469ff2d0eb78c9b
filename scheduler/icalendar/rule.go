package icalendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

var (
	weekdays     = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	weekdayCodes = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
)

// rule is a yearly recurrence.
type rule struct {
	yearly   v1alpha1.YearlyRule
	interval int
	count    int       // 0 for any number
	until    time.Time // zero for no end
}

// parseRule parses the parts of a yearly RRULE. The event starts on first.
func parseRule(parts map[string]string, first time.Time) (rule, error) {
	r := rule{interval: 1, yearly: v1alpha1.YearlyRule{Month: int32(first.Month())}}
	day := int32(first.Day())
	r.yearly.Day = &day
	for key, value := range parts {
		number, numberErr := strconv.Atoi(value)
		var err error
		switch key {
		case "FREQ", "WKST", "":
		case "INTERVAL":
			r.interval, err = number, positive(number, numberErr)
		case "COUNT":
			r.count, err = number, positive(number, numberErr)
		case "UNTIL":
			r.until, err = parseUntil(value)
		case "BYMONTH":
			r.yearly.Month, err = int32(number), within(number, numberErr, 12)
		case "BYMONTHDAY":
			day, err = int32(number), within(number, numberErr, 31)
		case "BYDAY":
			err = r.weekday(value, parts)
		case "BYSETPOS": // read with BYDAY
			if parts["BYDAY"] == "" {
				err = errors.New("it is only supported together with BYDAY")
			}
		default:
			err = errors.New("it is not supported")
		}
		if err != nil {
			return rule{}, fmt.Errorf("%s=%s: %w", key, value, err)
		}
	}
	// The length of the month in a leap year.
	longest := time.Date(2000, time.Month(r.yearly.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if r.yearly.Day != nil && int(*r.yearly.Day) > longest {
		return rule{}, fmt.Errorf("month %d has no day %d in any year", r.yearly.Month, *r.yearly.Day)
	}
	return r, nil
}

// parseUntil parses the last day of a recurrence. It returns zero for a day after lastYear, because
// the recurrence then has no end.
func parseUntil(value string) (time.Time, error) {
	text, _, _ := strings.Cut(value, "T")
	if day, err := time.Parse("20060102", text); err == nil && day.Year() > lastYear {
		return time.Time{}, nil
	}
	return parseDate(text)
}

// weekday parses BYDAY with an ordinal, as in "4TH", or together with BYSETPOS.
func (r *rule) weekday(value string, parts map[string]string) error {
	if len(value) < 2 || parts["BYMONTHDAY"] != "" {
		return errors.New("it is not the nth weekday of a month")
	}
	ordinal, code := value[:len(value)-2], value[len(value)-2:]
	if ordinal == "" {
		ordinal = parts["BYSETPOS"]
	} else if parts["BYMONTH"] == "" {
		return errors.New("it counts weekdays of the year, not of a month")
	}
	nth, err := strconv.Atoi(ordinal)
	weekday := slices.Index(weekdayCodes, code)
	if err != nil || weekday < 0 || nth != -1 && (nth < 1 || nth > 5) {
		return errors.New("it is not the nth weekday of a month")
	}
	n := int32(nth)
	r.yearly.Day, r.yearly.Weekday, r.yearly.Nth = nil, &weekdays[weekday], &n
	return nil
}

func positive(n int, err error) error {
	if err != nil || n < 1 {
		return errors.New("it is not a number above 0")
	}
	return nil
}

func within(n int, err error, limit int) error {
	if err != nil || n < 1 || n > limit {
		return fmt.Errorf("it is not one number from 1 to %d", limit)
	}
	return nil
}

// endless reports whether the rule applies in every year.
func (r rule) endless() bool {
	return r.interval == 1 && r.count == 0 && r.until.IsZero()
}

// hasRules reports whether there is a yearly rule for each day of an event that lasts a number of
// days. That is so for one day, and for several that are in one month in every year.
func (r rule) hasRules(days int) bool {
	return days == 1 || r.yearly.Day != nil && int(*r.yearly.Day)+days-1 <= 28
}

// days returns one rule for each day of an event that lasts n days.
func (r rule) days(n int) []v1alpha1.YearlyRule {
	rules := []v1alpha1.YearlyRule{r.yearly}
	for i := 1; i < n; i++ {
		day := *r.yearly.Day + int32(i)
		rules = append(rules, v1alpha1.YearlyRule{Month: r.yearly.Month, Day: &day})
	}
	return rules
}

// expand returns the days on which the recurrence starts, and whether these are all.
func (r rule) expand(first time.Time) ([]time.Time, bool) {
	c, err := scheduler.CompileCalendar("rule",
		v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "day", Yearly: &r.yearly}}})
	if err != nil {
		return []time.Time{first}, true // no year has such a day
	}
	last := first.AddDate(repeatYears, 0, 1)
	complete := !r.until.IsZero() && r.until.Before(last)
	var starts []time.Time
	for _, day := range c.Days(time.UTC, first, last) {
		if (day.Start.Year()-first.Year())%r.interval != 0 {
			continue
		}
		if !r.until.IsZero() && day.Start.After(r.until) {
			break
		}
		starts = append(starts, day.Start.UTC())
		if len(starts) == r.count {
			return starts, true
		}
	}
	return starts, complete
}
