package convert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// starts is a set of starts that one cron expression names: a minute of the day, and either a
// weekday or a day of the month.
type starts struct {
	minute  int
	byDay   bool // value is a day of the month, not a weekday
	value   int
	initial bool // whether one of them begins a span
	// least is the time to the end of the span, in each month; 0 where none starts.
	least [13]int
	name  string
}

// recurring returns windows that begin at the matches of the actions with a size, each with a
// duration that it has in every year. cover is what they cover.
func (w calendarWalk) recurring(actions []action, size int32, above []span, used map[string]int) (
	windows []v1alpha1.PeakWindow, cover []span,
) {
	sets := map[[3]int]*starts{}
	wild := map[string][2]bool{} // whether day of month and weekday are wildcards
	for _, a := range actions {
		f := strings.Fields(a.cron)
		wild[a.cron] = [2]bool{isWildcard(f[2]), isWildcard(f[4])}
	}
	for _, e := range w.events {
		i, found := slices.BinarySearchFunc(above, e.minute, func(s span, at int) int { return cmp.Compare(s.start, at) })
		if !found {
			i--
		}
		if e.action.replicas != size || i < 0 || above[i].end == w.until {
			continue
		}
		for _, key := range w.keysOf(e, wild[e.action.cron]) {
			set := sets[key]
			if set == nil {
				set = &starts{minute: key[0], byDay: key[1] == 1, value: key[2], name: e.action.name}
				sets[key] = set
			}
			set.initial = set.initial || above[i].start == e.minute
			month := int(minuteTime(e.minute).Month())
			if left := above[i].end - e.minute; set.least[month] == 0 || left < set.least[month] {
				set.least[month] = left
			}
		}
	}
	return w.windowsOf(sets, size, used)
}

// keysOf returns the sets of starts that an event belongs to. Where day of month and weekday are
// both restricted, either is enough.
func (w calendarWalk) keysOf(e actionTime, wild [2]bool) [][3]int {
	at := minuteTime(e.minute)
	byDay := [3]int{e.minute % day, 1, at.Day()}
	byWeekday := [3]int{e.minute % day, 0, int(at.Weekday())}
	f := strings.Fields(e.action.cron)
	switch {
	case wild[1]:
		return [][3]int{byDay}
	case wild[0]:
		return [][3]int{byWeekday}
	}
	var keys [][3]int
	if w.matchesDay(f[2]+" * *", e.minute/day) {
		keys = append(keys, byDay)
	}
	if w.matchesDay("* * "+f[4], e.minute/day) {
		keys = append(keys, byWeekday)
	}
	return keys
}

// matchesDay reports whether the date fields of a cron expression match a day, by its number.
func (w calendarWalk) matchesDay(dates string, number int) bool {
	days := w.days[dates]
	if days == nil {
		days = map[int]bool{}
		for _, s := range w.covered("0 0 "+dates, 1) {
			days[s.start/day] = true
		}
		w.days[dates] = days
	}
	return days[number]
}

// sameWindow is what starts have in common that become one window.
type sameWindow struct {
	minute, duration int // minute of the hour
	byDay            bool
	months, values   string
}

// windowsOf returns the windows of sets of starts, and what they cover.
func (w calendarWalk) windowsOf(sets map[[3]int]*starts, size int32, used map[string]int) (
	windows []v1alpha1.PeakWindow, cover []span,
) {
	byValue := newGroups[sameWindow]()
	for _, key := range slices.SortedFunc(maps.Keys(sets), func(a, b [3]int) int { return slices.Compare(a[:], b[:]) }) {
		set := sets[key]
		if !set.initial {
			continue
		}
		months := map[int][]int{} // by duration
		for month, least := range set.least {
			if least > 0 {
				months[least] = append(months[least], month)
			}
		}
		for _, least := range slices.Sorted(maps.Keys(months)) {
			byValue.add(sameWindow{
				minute: set.minute, duration: least, byDay: set.byDay, months: cronList(months[least], 12),
			}, set.name, set.value)
		}
	}
	byHour := newGroups[sameWindow]()
	for _, g := range byValue.list {
		key, hour := g.key, g.key.minute/60
		key.minute %= 60
		key.values = cronList(g.values, map[bool]int{true: 31, false: 7}[key.byDay])
		byHour.add(key, g.name, hour)
	}
	for _, g := range byHour.list {
		days, weekdays := "*", g.key.values
		if g.key.byDay {
			days, weekdays = g.key.values, "*"
		}
		window := v1alpha1.PeakWindow{
			Name:     uniqueName(used, g.name),
			Schedule: fmt.Sprintf("%d %s %s %s %s", g.key.minute, cronList(g.values, 24), days, g.key.months, weekdays),
			Duration: v1alpha1.FormatDuration(time.Duration(g.key.duration) * time.Minute),
			Demand:   v1alpha1.PeakDemand{Replicas: &size},
		}
		windows = append(windows, window)
		cover = append(cover, w.covered(window.Schedule, g.key.duration)...)
	}
	return windows, cover
}
