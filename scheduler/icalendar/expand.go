package icalendar

import (
	"slices"
	"time"
)

// expand returns the days in [from, to] on which the recurrence starts. Its first day is first.
// Days are numbers, see dayNumber. It looks at no more days than budget, which it reduces.
func (r recurrence) expand(first, from, to int, budget *int) (starts []int, err error) {
	to = min(to, r.last)
	k := 0
	if r.count == 0 { // without a number to count to, the time before from does not matter
		k = max(0, r.periodsBetween(first, from)/r.interval-1)
	}
	for seen := 0; ; k++ {
		start, length := r.period(first, k)
		if start > to {
			return starts, nil
		}
		if *budget -= length; *budget < 0 {
			return nil, errBudget
		}
		for _, day := range r.in(start, length, first) {
			if day < first {
				continue
			}
			if seen++; day > to || r.count > 0 && seen > r.count {
				return starts, nil
			}
			if day >= from {
				starts = append(starts, day)
			}
		}
	}
}

// periodsBetween returns how many periods lie between two days, at least.
func (r recurrence) periodsBetween(from, to int) int {
	days := map[frequency]int{daily: 1, weekly: 7, monthly: 31, yearly: 366}
	return (to - from) / days[r.frequency]
}

// period returns the first day and the number of days of period k.
func (r recurrence) period(first, k int) (start, length int) {
	n := k * r.interval
	date := dateOf(first)
	switch r.frequency {
	case daily:
		return first + n, 1
	case weekly:
		return first - (int(date.Weekday())-int(r.weekStart)+7)%7 + 7*n, 7
	case monthly:
		month := time.Date(date.Year(), date.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		start = dayNumber(month)
		return start, dayNumber(month.AddDate(0, 1, 0)) - start
	case yearly:
	}
	year := time.Date(date.Year()+n, 1, 1, 0, 0, 0, 0, time.UTC)
	start = dayNumber(year)
	return start, dayNumber(year.AddDate(1, 0, 0)) - start
}

// in returns the occurrences in a period.
func (r recurrence) in(start, length, first int) []int {
	var days []int
	for day := start; day < start+length; day++ {
		if r.matches(dateOf(day), dateOf(first)) {
			days = append(days, day)
		}
	}
	if len(r.positions) == 0 {
		return days
	}
	var chosen []int
	for i, day := range days {
		if slices.Contains(r.positions, i+1) || slices.Contains(r.positions, i-len(days)) {
			chosen = append(chosen, day)
		}
	}
	return chosen
}

// matches reports whether a date has all of the properties of the rule. What the rule does not say
// is as on the first date (RFC 5545, 3.3.10).
func (r recurrence) matches(date, first time.Time) bool {
	year, month, day := date.Date()
	monthLength := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	yearLength := time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	byDay := len(r.weekdays)+len(r.monthDays)+len(r.yearDays) > 0
	switch {
	case len(r.months) > 0 && !slices.Contains(r.months, int(month)),
		!fromEither(r.monthDays, day, monthLength),
		!fromEither(r.yearDays, date.YearDay(), yearLength),
		len(r.weeks) > 0 && !r.matchesWeek(date),
		len(r.weekdays) > 0 && !r.matchesWeekday(date, monthLength, yearLength):
		return false
	case byDay || r.frequency == daily:
		return true
	case r.frequency == weekly || len(r.weeks) > 0:
		return date.Weekday() == first.Weekday()
	case r.frequency == yearly && len(r.months) == 0 && month != first.Month():
		return false
	}
	return day == first.Day()
}

// fromEither reports whether numbers are empty or have n, counted from 1 or from the end.
func fromEither(numbers []int, n, length int) bool {
	return len(numbers) == 0 || slices.Contains(numbers, n) || slices.Contains(numbers, n-length-1)
}

// matchesWeekday reports whether a date is one of the weekdays. An nth one counts within the month,
// or within the year where the rule is a yearly one without months.
func (r recurrence) matchesWeekday(date time.Time, monthLength, yearLength int) bool {
	at, length := date.Day(), monthLength
	if r.frequency == yearly && len(r.months) == 0 {
		at, length = date.YearDay(), yearLength
	}
	for _, w := range r.weekdays {
		if w.weekday != date.Weekday() {
			continue
		}
		counts := w.nth == 0 || r.frequency == daily || r.frequency == weekly
		if counts || w.nth == (at-1)/7+1 || w.nth == -(length-at)/7-1 {
			return true
		}
	}
	return false
}

// matchesWeek reports whether a date is in one of the numbered weeks. Week 1 is the first that has
// four days in the year.
func (r recurrence) matchesWeek(date time.Time) bool {
	year := date.Year()
	if !date.Before(r.firstWeek(year + 1)) {
		year++
	} else if date.Before(r.firstWeek(year)) {
		year--
	}
	start, next := r.firstWeek(year), r.firstWeek(year+1)
	days := func(from, to time.Time) int { return dayNumber(to) - dayNumber(from) }
	return fromEither(r.weeks, days(start, date)/7+1, days(start, next)/7)
}

// firstWeek returns the first day of week 1 of a year.
func (r recurrence) firstWeek(year int) time.Time {
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
	return fourth.AddDate(0, 0, -(int(fourth.Weekday())-int(r.weekStart)+7)%7)
}

// dayNumber returns the number of a date, with 1970-01-01 as 0.
func dayNumber(date time.Time) int {
	seconds := date.Unix()
	return int((seconds - (seconds%secondsPerDay+secondsPerDay)%secondsPerDay) / secondsPerDay)
}

// dateOf is the inverse of dayNumber.
func dateOf(day int) time.Time { return time.Unix(int64(day)*secondsPerDay, 0).UTC() }
