package icalendar

import (
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// yearly adds an endless yearly recurrence as rules, and reports whether there are such rules.
func (in *reader) yearly(e *event, r recurrence, start moment, days int) bool {
	rule, ok := yearlyRule(r, start.day)
	if !ok || in.hasEarlier(r, start.day) {
		return false
	}
	last := days - 1
	if days > 1 && (rule.Day == nil || int(*rule.Day)+last > 28) {
		return false // not in one month in every year
	}
	in.rules[e.name] = append(in.rules[e.name], rule)
	for i := 1; i < days; i++ {
		day := *rule.Day + int32(i)
		in.rules[e.name] = append(in.rules[e.name], v1alpha1.YearlyRule{Month: rule.Month, Day: &day})
	}
	return true
}

// hasEarlier reports whether an endless yearly recurrence would have days before its first one that
// are kept, if it had begun long ago. A rule has no beginning.
func (in *reader) hasEarlier(r recurrence, first time.Time) bool {
	from := in.options.From
	if from.IsZero() {
		from = in.options.Now
	}
	if from.IsZero() || !from.Before(first) {
		return false
	}
	const cycle = 28 // years, after which dates and weekdays repeat
	years := (first.Year() - from.Year() + cycle) / cycle * cycle
	earlier, err := r.expand(dayNumber(first.AddDate(-years, 0, 0)), dayNumber(from), dayNumber(first)-1, &in.examine)
	return err != nil || len(earlier) > 0
}

// yearlyRule returns the rule that has the same days as a recurrence, and reports whether there is
// one.
func yearlyRule(r recurrence, first time.Time) (v1alpha1.YearlyRule, bool) {
	endless := r.frequency == yearly && r.interval == 1 && r.count == 0 && r.last == noEnd
	if !endless || len(r.yearDays)+len(r.weeks) > 0 || len(r.months) > 1 {
		return v1alpha1.YearlyRule{}, false
	}
	month := int32(first.Month())
	if len(r.months) == 1 {
		month = int32(r.months[0])
	}
	switch {
	case len(r.weekdays) == 0 && len(r.positions) == 0:
		return dateRule(r, month, first)
	case len(r.weekdays) == 1 && len(r.monthDays) == 0 && len(r.months) == 1:
		return weekdayRule(r, month)
	}
	return v1alpha1.YearlyRule{}, false
}

// dateRule returns the rule of a recurrence that names at most a month and a day of it.
func dateRule(r recurrence, month int32, first time.Time) (v1alpha1.YearlyRule, bool) {
	day := int32(first.Day())
	switch {
	case len(r.monthDays) > 1 || len(r.monthDays) == 1 && len(r.months) == 0:
		return v1alpha1.YearlyRule{}, false
	case len(r.monthDays) == 1:
		day = int32(r.monthDays[0])
	}
	longest := time.Date(2000, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return v1alpha1.YearlyRule{Month: month, Day: &day}, day > 0 && int(day) <= longest
}

// weekdayRule returns the rule of a recurrence that names a weekday of a month.
func weekdayRule(r recurrence, month int32) (v1alpha1.YearlyRule, bool) {
	nth := r.weekdays[0].nth
	switch {
	case len(r.positions) == 1 && nth == 0:
		nth = r.positions[0]
	case len(r.positions) > 0:
		return v1alpha1.YearlyRule{}, false
	}
	n := int32(nth)
	rule := v1alpha1.YearlyRule{Month: month, Weekday: &weekdays[r.weekdays[0].weekday], Nth: &n}
	return rule, nth == -1 || nth >= 1 && nth <= 5
}
