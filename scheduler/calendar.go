package scheduler

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	maxCalendarDays = 512
	maxDatesOfDay   = 64
)

// Calendar is one compiled Calendar: a set of named days, which belongs to no zone. It is immutable
// and safe for concurrent use.
type Calendar struct {
	name  string
	named []namedDays
	days  daySet // the days of all names
}

// namedDays are days with the same name: spans of dates, or a rule for every year.
type namedDays struct {
	name  string
	spans []span
	rule  *yearlyRule
}

// yearlyRule is a fixed day of a month, or the nth weekday of a month. day is 0 for the latter.
type yearlyRule struct{ month, day, weekday, nth int }

// NamedDay is one day of a Calendar in a zone.
type NamedDay struct {
	// Name is the name of the day.
	Name string
	// Date is the day, such as 2026-02-17.
	Date string
	// Start and End are the first instants of the day and of the next day, most often midnights.
	// Where clocks change, they are not 24 h apart.
	Start, End time.Time
}

// CompileCalendar compiles a Calendar. The error joins one [v1alpha1.FieldError] for every field
// that cannot be evaluated.
func CompileCalendar(name string, spec v1alpha1.CalendarSpec) (*Calendar, error) {
	c := &Calendar{name: name}
	var p fieldErrors
	if n := len(spec.Days); n == 0 || n > maxCalendarDays {
		p.add("spec.days", "", "%d days: name from 1 to %d, and put further ones into another Calendar", n, maxCalendarDays)
	}
	for i, day := range spec.Days {
		c.named = append(c.named, compileDay(&p, fmt.Sprintf("spec.days[%d]", i), day))
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	c.named = mergeDates(c.named)
	for _, n := range c.named {
		for _, s := range n.spans {
			c.days.addSpan(s)
		}
		n.spans = nil
		n.each(firstYear, lastYear, c.days.add)
	}
	return c, nil
}

// mergeDates collects the dates of each name and merges them, so that a walk over the days of a
// name visits each day once, however often it is declared.
func mergeDates(named []namedDays) []namedDays {
	var out []namedDays
	spans := map[string][]span{}
	for _, n := range named {
		if n.rule != nil {
			out = append(out, n)
			continue
		}
		if spans[n.name] == nil {
			out = append(out, namedDays{name: n.name})
		}
		spans[n.name] = append(spans[n.name], n.spans...)
	}
	for i := range out {
		if out[i].rule == nil {
			out[i].spans = mergeSpans(spans[out[i].name])
		}
	}
	return out
}

// mergeSpans sorts spans and merges those that overlap or touch.
func mergeSpans(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.first - b.first })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

func compileDay(p *fieldErrors, field string, day v1alpha1.CalendarDay) namedDays {
	n := namedDays{name: day.Name}
	if day.Name == "" {
		p.add(field+".name", "", "name the day: days with the same name are the same kind of day")
	}
	if (len(day.Dates) > 0) == (day.Yearly != nil) {
		p.add(field, "", "give exactly one of dates and yearly")
	}
	if len(day.Dates) > maxDatesOfDay {
		p.add(field+".dates", "", "%d dates: give up to %d, write consecutive ones as ranges, "+
			"and put further ones into another day of this name", len(day.Dates), maxDatesOfDay)
		return n
	}
	for i, text := range day.Dates {
		s, err := parseSpan(text)
		if err != nil {
			p.add(fmt.Sprintf("%s.dates[%d]", field, i), text, "%v", err)
		}
		n.spans = append(n.spans, s)
	}
	if day.Yearly != nil {
		n.rule = compileRule(p, field+".yearly", *day.Yearly)
	}
	return n
}

func compileRule(p *fieldErrors, field string, y v1alpha1.YearlyRule) *yearlyRule {
	r := &yearlyRule{month: int(y.Month)}
	if y.Month < 1 || y.Month > 12 {
		p.add(field+".month", strconv.Itoa(int(y.Month)), "write a month from 1 to 12")
		return r
	}
	switch {
	case y.Day != nil && y.Weekday == nil && y.Nth == nil:
		r.day = int(*y.Day)
		if longest := daysIn(2000, r.month); r.day < 1 || r.day > longest {
			p.add(field+".day", strconv.Itoa(r.day), "month %d has no such day in any year: write a day from 1 to %d",
				r.month, longest)
		}
	case y.Day == nil && y.Weekday != nil && y.Nth != nil:
		weekdays := []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
		r.weekday, r.nth = slices.Index(weekdays, *y.Weekday), int(*y.Nth)
		if r.weekday < 0 {
			p.add(field+".weekday", *y.Weekday, "write a weekday in full, such as Thursday")
		}
		if r.nth != -1 && (r.nth < 1 || r.nth > 5) {
			p.add(field+".nth", strconv.Itoa(r.nth), "write 1 to 5, or -1 for the last of the month")
		}
	default:
		p.add(field, "", "give day, or weekday together with nth")
	}
	return r
}

// in returns the day of the rule in a year. It reports whether the year has such a day.
func (r *yearlyRule) in(year int) (int, bool) {
	length := daysIn(year, r.month)
	first := date{year, r.month, 1}.number()
	if r.day > 0 {
		return first + r.day - 1, r.day <= length
	}
	// Days from the first of the month to its first such weekday.
	offset := (r.weekday - weekdayOf(first) + 7) % 7
	if r.nth == -1 {
		return first + offset + (length-1-offset)/7*7, true
	}
	offset += (r.nth - 1) * 7
	return first + offset, offset < length
}

// each calls do for every day in the years from fromYear to toYear.
func (n *namedDays) each(fromYear, toYear int, do func(day int)) {
	first, last := date{fromYear, 1, 1}.number(), date{toYear, 12, 31}.number()
	for _, s := range n.spans {
		for day := max(s.first, first); day <= min(s.last, last); day++ {
			do(day)
		}
	}
	if n.rule == nil {
		return
	}
	for year := fromYear; year <= toYear; year++ {
		if day, ok := n.rule.in(year); ok {
			do(day)
		}
	}
}

// Name returns the name that was passed to CompileCalendar.
func (c *Calendar) Name() string { return c.name }

// Days returns the named days that have some part in [from, to), ordered by start and then by name.
// Days begin and end on the wall clock of loc. A day that the place skipped, as Apia did
// 2011-12-30, is not among them.
func (c *Calendar) Days(loc *time.Location, from, to time.Time) []NamedDay {
	if !inRange(from) || !inRange(to) || !from.Before(to) {
		return nil
	}
	z := newZone(loc)
	var days []NamedDay
	for _, n := range c.named {
		n.each(max(from.In(loc).Year()-1, firstYear), min(to.In(loc).Year()+1, lastYear), func(day int) {
			first, next := z.firstInstant(int64(day)*secondsPerDay), z.firstInstant(int64(day+1)*secondsPerDay)
			start, end := z.timeAt(first), z.timeAt(next)
			if first < next && end.After(from) && start.Before(to) {
				days = append(days, NamedDay{Name: n.name, Date: formatDay(day), Start: start, End: end})
			}
		})
	}
	sort.Slice(days, func(i, j int) bool {
		if !days[i].Start.Equal(days[j].Start) {
			return days[i].Start.Before(days[j].Start)
		}
		return days[i].Name < days[j].Name
	})
	return slices.CompactFunc(days, func(a, b NamedDay) bool { return a.Name == b.Name && a.Date == b.Date })
}

// Next returns the first n named days that start after t on the wall clock of loc, soonest first.
func (c *Calendar) Next(loc *time.Location, t time.Time, n int) []NamedDay {
	// Most calendars have their next days within two years. A rule such as the fifth Monday of
	// February may need 40.
	for _, years := range []int{2, 8, 41, lastYear - firstYear} {
		to := t.AddDate(years, 0, 0)
		if last := time.Unix(dayCount*secondsPerDay-1, 0); to.After(last) {
			to = last
		}
		days := c.Days(loc, t, to)
		for len(days) > 0 && !days[0].Start.After(t) {
			days = days[1:]
		}
		if len(days) >= n {
			return days[:n]
		}
		if years == lastYear-firstYear {
			return days
		}
	}
	return nil
}
