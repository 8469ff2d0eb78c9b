package scheduler

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Days are numbered; 1970-01-01 is 0. All schedules are evaluated within these years. The fixed
// span makes a set of days a plain bit field, and every search finite.
const (
	firstYear = 1970
	lastYear  = 2199
	dayCount  = 84006 // days from 1970-01-01 up to and without 2200-01-01

	secondsPerDay = 24 * 60 * 60
	dateLayout    = "2006-01-02"
)

// daySet is a set of days, with one bit for each day.
type daySet [(dayCount + 63) / 64]uint64

func (s *daySet) add(day int) {
	if day >= 0 && day < dayCount {
		s[day/64] |= 1 << (day % 64)
	}
}

// addSpan adds every day of a span. It sets whole words, so that a thousand ranges over all years
// cost no more than a few dates.
func (s *daySet) addSpan(x span) {
	first, last := max(x.first, 0), min(x.last, dayCount-1)
	for i := first / 64; first <= last && i <= last/64; i++ {
		word := ^uint64(0)
		if i == first/64 {
			word = word >> (first % 64) << (first % 64)
		}
		if i == last/64 {
			word &= 2<<(last%64) - 1
		}
		s[i] |= word
	}
}

func (s *daySet) has(day int) bool {
	return day >= 0 && day < dayCount && s[day/64]>>(day%64)&1 == 1
}

// month returns the 31 days from first on, as the low bits of a word.
func (s *daySet) month(first int) uint32 {
	i, shift := first/64, first%64
	word := s[i] >> shift
	if shift > 33 && i+1 < len(s) {
		word |= s[i+1] << (64 - shift)
	}
	return uint32(word) & (1<<31 - 1)
}

// next returns the first day of the set at or after day, or dayCount.
func (s *daySet) next(day int) int {
	for i := day / 64; i < len(s); i++ {
		word := s[i]
		if i == day/64 {
			word = word >> (day % 64) << (day % 64)
		}
		if word != 0 {
			return i*64 + bits.TrailingZeros64(word)
		}
	}
	return dayCount
}

// previous returns the last day of the set at or before day, or -1.
func (s *daySet) previous(day int) int {
	if day < 0 {
		return -1
	}
	for i := day / 64; i >= 0; i-- {
		word := s[i]
		if i == day/64 {
			word &= 2<<(day%64) - 1
		}
		if word != 0 {
			return i*64 + bits.Len64(word) - 1
		}
	}
	return -1
}

func (s *daySet) union(other *daySet) {
	for i := range s {
		s[i] |= other[i]
	}
}

func (s *daySet) subtract(other *daySet) {
	for i := range s {
		s[i] &^= other[i]
	}
}

func (s *daySet) fill() {
	for i := range s {
		s[i] = ^uint64(0) // the bits after the last day are never read
	}
}

// date is a day of the Gregorian calendar.
type date struct{ year, month, day int }

// number returns the number of the day. The month must be from 1 to 12.
func (d date) number() int {
	// In this computation a year begins in March, so that the leap day is its last day.
	y, m := d.year, d.month-3
	if m < 0 {
		y, m = y-1, m+12
	}
	dayOfYear := (153*m+2)/5 + d.day - 1
	return y*365 + y/4 - y/100 + y/400 + dayOfYear - 719468
}

// dateOf returns the date of a day. The day must not be before 1970.
func dateOf(number int) date {
	z := number + 719468
	era := z / 146097
	dayOfEra := z - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	d := date{year: yearOfEra + era*400, month: m + 3, day: dayOfYear - (153*m+2)/5 + 1}
	if d.month > 12 {
		d.month -= 12
		d.year++
	}
	return d
}

// weekdayOf returns the weekday of a day, with Sunday as 0. The day must not be before 1970.
func weekdayOf(number int) int {
	return (number + 4) % 7 // 1970-01-01 was a Thursday
}

// daysIn returns the number of days in a month.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

func formatDay(number int) string {
	d := dateOf(number)
	return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day)
}

// span is a range of days that includes first and last.
type span struct{ first, last int }

// parseSpan parses a date such as "2026-02-17", or a range that includes both ends, such as
// "2026-10-01/2026-10-07".
func parseSpan(text string) (span, error) {
	from, to, isRange := strings.Cut(text, "/")
	first, err := parseDay(from)
	if err != nil {
		return span{}, err
	}
	if !isRange {
		return span{first, first}, nil
	}
	last, err := parseDay(to)
	if err != nil {
		return span{}, err
	}
	if last < first {
		return span{}, fmt.Errorf("the range ends before it begins: write the earlier date first, as %s/%s", to, from)
	}
	return span{first, last}, nil
}

func parseDay(text string) (int, error) {
	t, err := time.Parse(dateLayout, text)
	if err != nil || len(text) != len(dateLayout) {
		return 0, fmt.Errorf("%q is not a date: write a day that exists as YYYY-MM-DD, such as 2026-02-17", text)
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		return 0, fmt.Errorf("%q is out of range: use years from %d to %d", text, firstYear, lastYear)
	}
	return date{t.Year(), int(t.Month()), t.Day()}.number(), nil
}
