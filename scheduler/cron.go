package scheduler

import (
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

// matcher finds the minutes of the wall clock that a cron expression matches. The cron library only
// parses the fields. The search for the next and the previous match is done here, because the
// library errs where clocks change, and has no search backwards.
type matcher struct {
	minutes, hours uint64
	days           uint32 // bit 0 is the first of a month
	months         uint64 // bit 1 is January
	weekdays       uint32 // bit 0 is Sunday
	// eitherDay is set where both day fields are restricted, so that a match of one is enough.
	eitherDay bool
	// elapsed is set where the hour field is "*" or "*/n".
	elapsed bool
	// allowed are the days that except and only allow; nil for all days.
	allowed *daySet
}

var (
	cronParser  = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	cronItem    = regexp.MustCompile(`^([*?]|[0-9]{1,2}|[A-Za-z]{3})(-([0-9]{1,2}|[A-Za-z]{3}))?(/[0-9]{1,2})?$`)
	elapsedHour = regexp.MustCompile(`^[*?](/[0-9]+)?$`)
	cronFields  = [...]string{"minute", "hour", "day of month", "month", "day of week"}
)

const starBit = 1 << 63 // set by the library where a field says "*" or "?"

// parseCron parses a cron expression with five fields. The errors say what to write instead.
func parseCron(expression string) (matcher, error) {
	if strings.Contains(expression, "TZ=") {
		return matcher{}, errors.New("a zone in the schedule is not allowed: name it in spec.timeZone")
	}
	if strings.HasPrefix(expression, "@") {
		return matcher{}, errors.New(`macros are not allowed: write five fields, such as "0 0 * * *" for every midnight`)
	}
	fields := strings.Fields(expression)
	if len(fields) != len(cronFields) {
		return matcher{}, fmt.Errorf("it has %d fields: write five (minute hour day-of-month month day-of-week), "+
			"such as \"0 12 * * 1-5\"", len(fields))
	}
	for i, field := range fields {
		if err := checkCronField(field); err != nil {
			return matcher{}, fmt.Errorf("%s %q: %w", cronFields[i], field, err)
		}
	}
	elapsed := elapsedHour.MatchString(fields[1])
	fields[4] = sundayAsZero(fields[4])
	parsed, err := cronParser.Parse(strings.Join(fields, " "))
	if err != nil {
		return matcher{}, fmt.Errorf("%w: minutes go from 0 to 59, hours from 0 to 23, days from 1 to 31, "+
			"months from 1 to 12, weekdays from 0 to 7", err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return matcher{}, errors.New("it does not have five fields")
	}
	m := matcher{
		minutes:   spec.Minute &^ starBit,
		hours:     spec.Hour &^ starBit,
		days:      uint32(spec.Dom >> 1 & (1<<31 - 1)),
		months:    spec.Month &^ starBit,
		weekdays:  uint32(spec.Dow & (1<<7 - 1)),
		eitherDay: spec.Dom&starBit == 0 && spec.Dow&starBit == 0,
		elapsed:   elapsed,
	}
	if _, ok := m.nextDay(0); !ok {
		return matcher{}, errors.New("it never fires, because none of its months has such a day: name a day that exists")
	}
	return m, nil
}

// checkCronField rejects what the library understands in another way than it is written, such as
// "*-5" and "1,,2".
func checkCronField(field string) error {
	for item := range strings.SplitSeq(field, ",") {
		if item == "" {
			return errors.New("a list has an empty item: remove the stray comma")
		}
		if !cronItem.MatchString(item) {
			return fmt.Errorf("%q is not valid in a cron field: "+
				"write *, a number, a range such as 1-5, or a step such as */15", item)
		}
		if (item[0] == '*' || item[0] == '?') && strings.Contains(item, "-") {
			return fmt.Errorf("%q is not a range: write it with two numbers, such as 1-5", item)
		}
	}
	return nil
}

// sundayAsZero rewrites a day-of-week field that has 7 for Sunday, which the library does not know.
// An item that is not a number stays as it is, and the library checks it.
func sundayAsZero(field string) string {
	items := strings.Split(field, ",")
	for i, item := range items {
		value, stepText, hasStep := strings.Cut(item, "/")
		lowText, highText, isRange := strings.Cut(value, "-")
		if lowText != "7" && highText != "7" {
			continue
		}
		step := 1
		if hasStep {
			step, _ = strconv.Atoi(stepText)
		}
		low, err := strconv.Atoi(lowText)
		if err != nil || isRange && highText != "7" || step < 1 || low > 7 {
			continue
		}
		var days []string
		for day := low; day <= 7; day += step {
			days = append(days, strconv.Itoa(day%7))
		}
		items[i] = strings.Join(days, ",")
	}
	return strings.Join(items, ",")
}

// next returns the first match at or after wall, and reports whether there is one.
func (m *matcher) next(wall int64) (int64, bool) {
	minute := (max(wall, 0) + 59) / 60
	day, minuteOfDay := int(minute/(24*60)), int(minute%(24*60))
	if m.matchesDay(day) {
		if at, ok := m.nextMinute(minuteOfDay); ok {
			return int64(day)*secondsPerDay + int64(at)*60, true
		}
		day++
	}
	day, ok := m.nextDay(day)
	if !ok {
		return 0, false
	}
	at, ok := m.nextMinute(0)
	return int64(day)*secondsPerDay + int64(at)*60, ok
}

// previous returns the last match at or before wall, and reports whether there is one.
func (m *matcher) previous(wall int64) (int64, bool) {
	if wall < 0 {
		return 0, false
	}
	minute := wall / 60
	day, minuteOfDay := int(minute/(24*60)), int(minute%(24*60))
	if m.matchesDay(day) {
		if at, ok := m.previousMinute(minuteOfDay); ok {
			return int64(day)*secondsPerDay + int64(at)*60, true
		}
		day--
	}
	day, ok := m.previousDay(day)
	if !ok {
		return 0, false
	}
	at, ok := m.previousMinute(24*60 - 1)
	return int64(day)*secondsPerDay + int64(at)*60, ok
}

// nextMinute returns the first matching minute of a day at or after minuteOfDay, and reports
// whether there is one.
func (m *matcher) nextMinute(minuteOfDay int) (int, bool) {
	hour, minute := minuteOfDay/60, minuteOfDay%60
	if m.hours>>hour&1 == 1 {
		if later := m.minutes >> minute << minute; later != 0 {
			return hour*60 + bits.TrailingZeros64(later), true
		}
	}
	later := m.hours >> (hour + 1) << (hour + 1)
	if later == 0 {
		return 0, false
	}
	return bits.TrailingZeros64(later)*60 + bits.TrailingZeros64(m.minutes), true
}

// previousMinute returns the last matching minute of a day at or before minuteOfDay, and reports
// whether there is one.
func (m *matcher) previousMinute(minuteOfDay int) (int, bool) {
	hour, minute := minuteOfDay/60, minuteOfDay%60
	if m.hours>>hour&1 == 1 {
		if earlier := m.minutes & (1<<(minute+1) - 1); earlier != 0 {
			return hour*60 + bits.Len64(earlier) - 1, true
		}
	}
	earlier := m.hours & (1<<hour - 1)
	if earlier == 0 {
		return 0, false
	}
	return (bits.Len64(earlier)-1)*60 + bits.Len64(m.minutes) - 1, true
}

// matchesDay reports whether a day matches.
func (m *matcher) matchesDay(day int) bool {
	if day < 0 || day >= dayCount {
		return false
	}
	d := dateOf(day)
	return m.month(d.year, d.month, day-d.day+1)>>(d.day-1)&1 == 1
}

// month returns the matching days of a month whose first day has the number first. Bit 0 is the
// first of the month.
func (m *matcher) month(year, month, first int) uint32 {
	if m.months>>month&1 == 0 {
		return 0
	}
	// The pattern of the week, beginning on the month's first weekday, five times in a row.
	week := m.weekdays | m.weekdays<<7
	week = week >> weekdayOf(first) & (1<<7 - 1)
	byWeekday := week | week<<7 | week<<14 | week<<21 | week<<28

	match := m.days & byWeekday
	if m.eitherDay {
		match = m.days | byWeekday
	}
	match &= 1<<daysIn(year, month) - 1
	if m.allowed != nil {
		match &= m.allowed.month(first)
	}
	return match
}

// nextDay returns the first matching day at or after day, and reports whether there is one.
func (m *matcher) nextDay(day int) (int, bool) {
	for day = max(day, 0); day < dayCount; {
		d := dateOf(day)
		first := day - d.day + 1
		past := d.day - 1 // days of the month
		if match := m.month(d.year, d.month, first) >> past << past; match != 0 {
			return first + bits.TrailingZeros32(match), true
		}
		// Continue with the next month that can match.
		year, month := d.year, bits.TrailingZeros64(m.months>>(d.month+1))+d.month+1
		if month > 12 {
			year, month = year+1, bits.TrailingZeros64(m.months)
		}
		day = date{year, month, 1}.number()
		if m.allowed != nil {
			day = m.allowed.next(day)
		}
	}
	return 0, false
}

// previousDay returns the last matching day at or before day, and reports whether there is one.
func (m *matcher) previousDay(day int) (int, bool) {
	for day = min(day, dayCount-1); day >= 0; {
		d := dateOf(day)
		first := day - d.day + 1
		if match := m.month(d.year, d.month, first) & (1<<d.day - 1); match != 0 {
			return first + bits.Len32(match) - 1, true
		}
		year, month := d.year, bits.Len64(m.months&(1<<d.month-1))-1
		if month < 1 {
			year, month = year-1, bits.Len64(m.months)-1
		}
		day = date{year, month, daysIn(year, month)}.number()
		if m.allowed != nil {
			day = m.allowed.previous(day)
		}
	}
	return 0, false
}
