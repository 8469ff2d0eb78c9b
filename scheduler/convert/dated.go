package convert

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// Actions that name months or days of the month have no cycle of a week. Their levels are found by
// a walk over a whole cycle of the Gregorian calendar: within 28 years, every date falls on every
// weekday, in a leap year and not. What recurs in every year becomes windows with a schedule. What
// some years have beyond that becomes windows with a start.
const (
	cycleYears = 28
	// leadYears come before the cycle, so that the level at its beginning is known.
	leadYears = 2
	// maxMatches bounds the matches of all actions over these years.
	maxMatches = 400_000
	// onceYears is how many years get windows with a start.
	onceYears = 10
	// maxWindows is how many windows a PeakSchedule may have.
	maxWindows = 64
	// longWindow is from when on the length of a window is pointed out.
	longWindow = 8 * day
)

// datedWindows returns windows for the levels of actions that are above base, where an action names
// months or days of the month.
func (s *source) datedWindows(actions []action, base int32, zone string) ([]v1alpha1.PeakWindow, error) {
	location, err := v1alpha1.TimeZone(zone).Location()
	if err != nil {
		return nil, err
	}
	now := s.c.options.Now
	if now.IsZero() {
		now = monday
	}
	walk, err := walkCalendar(actions, now)
	if err != nil {
		return nil, err
	}
	var sizes []int32
	for _, a := range actions {
		if a.replicas > base {
			sizes = append(sizes, a.replicas)
		}
	}
	slices.Sort(sizes)
	var windows, once []v1alpha1.PeakWindow
	used := map[string]int{}
	for _, size := range slices.Compact(sizes) {
		above := walk.spansOf(func(n int32) bool { return n >= size })
		recurring, cover := walk.recurring(actions, size, above, used)
		windows = append(windows, recurring...)
		rest := without(walk.spansOf(func(n int32) bool { return n == size }), cover)
		once = append(once, onceWindows(rest, size, nameOfSize(actions, size), wallMinute(now.In(location)), location,
			used)...)
	}
	return s.withOnce(windows, once)
}

func nameOfSize(actions []action, size int32) string {
	i := slices.IndexFunc(actions, func(a action) bool { return a.replicas == size })
	return actions[i].name
}

// withOnce adds the windows with a start, as many as a PeakSchedule can have, and notes them.
func (s *source) withOnce(windows, once []v1alpha1.PeakWindow) ([]v1alpha1.PeakWindow, error) {
	if len(windows) > maxWindows || len(windows) == maxWindows && len(once) > 0 {
		return nil, fmt.Errorf("its schedules need %d windows, and a PeakSchedule has at most %d: declare them by hand",
			len(windows)+len(once), maxWindows)
	}
	slices.SortStableFunc(once, func(a, b v1alpha1.PeakWindow) int { return cmp.Compare(a.Start, b.Start) })
	if room := maxWindows - len(windows); len(once) > room {
		once = once[:room]
	}
	if n := len(once); n > 0 {
		s.note("%d windows are written with their dates, because no cron expression names them; the last one starts on %s: "+
			"convert again by then", n, once[n-1].Start[:len("2006-01-02")])
	}
	windows = append(windows, once...)
	var long []string
	for _, w := range windows {
		if d, err := w.Duration.Parse(); err == nil && d >= longWindow*time.Minute {
			long = append(long, w.Name)
		}
	}
	if len(long) > 0 {
		who := "window " + long[0] + " lasts"
		if others := len(long) - 1; others > 0 {
			who = fmt.Sprintf("window %s and %d more last", long[0], others)
		}
		s.note("%s for more than a week, because the next change takes so long to come, as with the original: "+
			"check that this is meant", who)
	}
	return windows, nil
}

// onceWindows returns a window with a start for each span of the next years.
func onceWindows(
	spans []span, size int32, name string, now int, location *time.Location, used map[string]int,
) []v1alpha1.PeakWindow {
	var out []v1alpha1.PeakWindow
	for _, s := range spans {
		if s.end <= now || s.start > now+onceYears*366*day {
			continue
		}
		at := func(minute int) time.Time {
			t := minuteTime(minute)
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, location)
		}
		start := minuteTime(s.start)
		duration := at(s.end).Sub(at(s.start))
		if duration <= 0 {
			continue
		}
		out = append(out, v1alpha1.PeakWindow{
			Name:     uniqueName(used, name+"-"+start.Format("20060102")),
			Start:    start.Format("2006-01-02T15:04"),
			Duration: v1alpha1.FormatDuration(duration),
			Demand:   v1alpha1.PeakDemand{Replicas: &size},
		})
	}
	return out
}
