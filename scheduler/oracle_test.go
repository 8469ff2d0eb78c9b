package scheduler

import (
	"math"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// The oracle evaluates windows in the most naive way: it goes through every minute, reads the wall
// clock, and lists the minutes at which a window starts. It shares no code with the package, and
// parses the fields itself.

// minutes is a range of elapsed minutes, with what the wall clock of a place shows at each.
type minutes struct {
	location *time.Location
	first    time.Time
	// wall[i] is the wall clock at first + i minutes, in minutes since the epoch as if the wall
	// clock were UTC.
	wall []int64
	// ofDay[i] is the minute of the day of wall[i].
	ofDay []int16
}

func watch(location *time.Location, first time.Time, n int) minutes {
	m := minutes{location: location, first: first, wall: make([]int64, n), ofDay: make([]int16, n)}
	for i := range m.wall {
		local := first.Add(time.Duration(i) * time.Minute).In(location)
		m.wall[i] = time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0,
			time.UTC).Unix() / 60
		m.ofDay[i] = int16(local.Hour()*60 + local.Minute())
	}
	return m
}

// naiveField returns the numbers that a cron field matches.
func naiveField(text string, low, high int, names string) (set map[int]bool, star bool) {
	set = map[int]bool{}
	number := func(s string) int {
		if i := strings.Index(names, strings.ToLower(s)); i >= 0 && s != "" && (s[0] > '9') {
			return i/3 + low
		}
		n, _ := strconv.Atoi(s)
		return n
	}
	for part := range strings.SplitSeq(text, ",") {
		body, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			step = number(stepText)
		}
		from, to := low, high
		if body == "*" {
			star = star || step == 1
		} else if a, b, ok := strings.Cut(body, "-"); ok {
			from, to = number(a), number(b)
		} else if from = number(body); !stepped {
			to = from
		}
		for n := from; n <= to; n += step {
			set[n] = true
		}
	}
	return set, star
}

// naiveCron reports whether a minute of the wall clock matches.
type naiveCron struct {
	minute, hour, day, month, weekday [64]bool
	either, elapsed                   bool
}

func newNaiveCron(expression string) naiveCron {
	f := strings.Fields(expression)
	var c naiveCron
	into := func(array *[64]bool, set map[int]bool) {
		for n := range set {
			array[n] = true
		}
	}
	set, _ := naiveField(f[0], 0, 59, "")
	into(&c.minute, set)
	set, _ = naiveField(f[1], 0, 23, "")
	into(&c.hour, set)
	days, anyDay := naiveField(f[2], 1, 31, "")
	into(&c.day, days)
	set, _ = naiveField(f[3], 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec")
	into(&c.month, set)
	weekdays, anyWeekday := naiveField(f[4], 0, 6, "sunmontuewedthufrisat")
	if weekdays[7] {
		weekdays[0] = true
	}
	into(&c.weekday, weekdays)
	c.either = !anyDay && !anyWeekday
	c.elapsed = f[1] == "*" || strings.HasPrefix(f[1], "*/") && !strings.Contains(f[1], ",")
	return c
}

// ofDay marks the minutes of a day that match.
func (c *naiveCron) ofDay() *[24 * 60]bool {
	var match [24 * 60]bool
	for i := range match {
		match[i] = c.minute[i%60] && c.hour[i/60]
	}
	return &match
}

func (c *naiveCron) matchesDate(t time.Time) bool {
	byDay, byWeekday := c.day[t.Day()], c.weekday[t.Weekday()]
	if c.either {
		return c.month[t.Month()] && (byDay || byWeekday)
	}
	return c.month[t.Month()] && byDay && byWeekday
}

// naiveDays reports whether a date is in a set of days.
func naiveDays(days v1alpha1.Days, calendars map[string]v1alpha1.CalendarSpec, t time.Time) bool {
	text := t.Format("2006-01-02")
	in := func(dates []string) bool {
		for _, d := range dates {
			from, to, ok := strings.Cut(d, "/")
			if !ok {
				to = from
			}
			if from <= text && text <= to {
				return true
			}
		}
		return false
	}
	if in(days.Dates) {
		return true
	}
	for _, name := range days.Calendars {
		for _, day := range calendars[name].Days {
			if in(day.Dates) || day.Yearly != nil && naiveYearly(*day.Yearly, t) {
				return true
			}
		}
	}
	return false
}

func naiveYearly(y v1alpha1.YearlyRule, t time.Time) bool {
	if int(t.Month()) != int(y.Month) {
		return false
	}
	if y.Day != nil {
		return t.Day() == int(*y.Day)
	}
	if t.Weekday().String() != *y.Weekday {
		return false
	}
	if *y.Nth == -1 {
		return t.AddDate(0, 0, 7).Month() != t.Month()
	}
	return (t.Day()-1)/7+1 == int(*y.Nth)
}

// starts returns the instants at which a window starts, in seconds since the epoch. The first two
// days only serve to know which wall times were shown before.
func (m minutes) starts(
	w v1alpha1.PeakWindow, spec v1alpha1.PeakScheduleSpec, calendars map[string]v1alpha1.CalendarSpec,
) []int64 {
	allowed := func(t time.Time) bool {
		return (spec.Only == nil || naiveDays(*spec.Only, calendars, t)) && (spec.Except == nil ||
			!naiveDays(*spec.Except, calendars, t))
	}
	var matches func(wall int64) bool
	var ofDay *[24 * 60]bool // to avoid most of the calls
	elapsed := false
	if w.Start != "" {
		once, _ := time.Parse("2006-01-02T15:04", w.Start)
		matches = func(wall int64) bool { return wall == once.Unix()/60 && allowed(once) }
		ofDay = &[24 * 60]bool{}
		ofDay[once.Hour()*60+once.Minute()] = true
	} else {
		c := newNaiveCron(w.Schedule)
		elapsed = c.elapsed
		known := map[int64]bool{}
		day := func(wall int64) bool {
			number := wall / (24 * 60)
			match, ok := known[number]
			if !ok {
				t := time.Unix(number*24*60*60, 0).UTC()
				match = c.matchesDate(t) && allowed(t)
				known[number] = match
			}
			return match
		}
		ofDay = c.ofDay()
		matches = func(wall int64) bool { return ofDay[wall%(24*60)] && day(wall) }
	}
	var starts []int64
	shown := m.wall[0]
	for i, wall := range m.wall {
		started := false
		if elapsed || wall == shown+1 {
			started = ofDay[m.ofDay[i]] && matches(wall)
		} else {
			for skipped := shown + 1; skipped <= wall; skipped++ {
				started = started || matches(skipped)
			}
		}
		shown = max(shown, wall)
		if started && i > 2*24*60 {
			starts = append(starts, m.first.Add(time.Duration(i)*time.Minute).Unix())
		}
	}
	return starts
}

// naiveValue returns what a window with the value full says at t, where neutral is the value
// without a window: the strongest of all its occurrences. The last fifth of a ramp-up is one step.
func naiveValue(
	starts []int64, duration, up, down time.Duration, neutral, full float64, t time.Time,
) (value float64, active bool) {
	step := func(value, to float64) float64 {
		if value > 0.8*to*(1-1e-9) {
			return to
		}
		return value
	}
	value = neutral
	for _, s := range starts {
		start := time.Unix(s, 0)
		end := start.Add(duration)
		v := neutral
		switch {
		case !t.Before(start) && t.Before(end):
			v, active = full, true
		case t.Before(start) && !t.Before(start.Add(-up)):
			v = full - (full-neutral)*float64(start.Sub(t))/float64(up)
			if full > neutral {
				v = step(v, full)
			}
		case !t.Before(end) && t.Before(end.Add(down)):
			v = full - (full-neutral)*float64(t.Sub(end))/float64(down)
			if neutral > full {
				v = step(v, neutral)
			}
		}
		if math.Abs(v-neutral) > math.Abs(value-neutral) {
			value = v
		}
	}
	return value, active
}

// naiveDemand combines windows whose starts are known.
func naiveDemand(windows []v1alpha1.PeakWindow, starts [][]int64, t time.Time) (Demand, []string) {
	total := Demand{Multiply: 1, AtMost: math.Inf(1)}
	var names []string
	for i, w := range windows {
		duration, _ := w.Duration.Parse()
		var up, down time.Duration
		if w.RampUp != nil {
			up, _ = w.RampUp.Parse()
		}
		if w.RampDown != nil {
			down, _ = w.RampDown.Parse()
		}
		neutral, full := 0.0, 0.0
		switch d := w.Demand; {
		case d.AtLeast != nil:
			full = d.AtLeast.AsApproximateFloat64()
		case d.Add != nil:
			full = d.Add.AsApproximateFloat64()
		case d.Replicas != nil:
			full = float64(*d.Replicas)
		case d.Multiply != nil:
			neutral = 1
			full, _ = strconv.ParseFloat(string(*d.Multiply), 64)
		}
		value, active := naiveValue(starts[i], duration, up, down, neutral, full, t)
		if active {
			names = append(names, w.Name)
		}
		switch d := w.Demand; {
		case d.AtLeast != nil:
			total.AtLeast = math.Max(total.AtLeast, value)
		case d.Add != nil:
			total.Add += value
		case d.Replicas != nil:
			total.Replicas = math.Max(total.Replicas, value)
		case d.Multiply != nil:
			total.Multiply *= value
		case d.AtMost != nil && active:
			total.AtMost = math.Min(total.AtMost, d.AtMost.AsApproximateFloat64())
		}
	}
	return total, names
}
