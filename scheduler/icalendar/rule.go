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

// rule is a recurrence by whole years.
type rule struct {
	yearly   v1alpha1.YearlyRule
	interval int
	count    int       // 0 for any number
	until    time.Time // zero for no end
}

// parseRule reads the parts of a yearly RRULE of an event that starts on first.
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
				err = errors.New("it counts no weekday")
			}
		default:
			err = errors.New("it is not known here")
		}
		if err != nil {
			return rule{}, fmt.Errorf("%s=%s: %w", key, value, err)
		}
	}
	if y := r.yearly; y.Day != nil && int(*y.Day) > time.Date(2000, time.Month(y.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return rule{}, fmt.Errorf("month %d has no day %d in any year", y.Month, *y.Day)
	}
	return r, nil
}

// parseUntil reads the last day of a recurrence; zero for one that ends after all years that are known here.
func parseUntil(value string) (time.Time, error) {
	text, _, _ := strings.Cut(value, "T")
	if day, err := time.Parse("20060102", text); err == nil && day.Year() > lastYear {
		return time.Time{}, nil
	}
	return parseDate(text)
}

// weekday reads BYDAY with its ordinal, as in "4TH", or with BYSETPOS beside it.
func (r *rule) weekday(value string, parts map[string]string) error {
	if len(value) < 2 || parts["BYMONTHDAY"] != "" {
		return errors.New("it is not the nth weekday of a month")
	}
	ordinal, code := value[:len(value)-2], value[len(value)-2:]
	if ordinal == "" {
		ordinal = parts["BYSETPOS"]
	} else if parts["BYMONTH"] == "" {
		return errors.New("it counts weekdays of the year")
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

func within(n int, err error, most int) error {
	if err != nil || n < 1 || n > most {
		return fmt.Errorf("it is not one number from 1 to %d", most)
	}
	return nil
}

// endless reports whether the rule holds in every year.
func (r rule) endless() bool {
	return r.interval == 1 && r.count == 0 && r.until.IsZero()
}

// spread reports whether an event of several days can be said as one rule a day: where all of them are in one month.
func (r rule) spread(days int) bool {
	return days == 1 || r.yearly.Day != nil && int(*r.yearly.Day)+days-1 <= 28
}

// days returns one rule for each day of the event.
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
	c, err := scheduler.CompileCalendar("rule", v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{Name: "day", Yearly: &r.yearly}}})
	if err != nil {
		return []time.Time{first}, true // a day that no year has
	}
	last := first.AddDate(yearsOfRepeats, 0, 1)
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
