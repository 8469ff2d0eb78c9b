package convert

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// span is a time on the wall clock, in minutes since the epoch. end is not part of it.
type span struct{ start, end int }

// calendarWalk has what actions do over the years of a cycle.
type calendarWalk struct {
	events []actionTime // in the order of time; all actions of a minute
	// from is where the walk begins, and until where it ends.
	from, until int
	days        map[string]map[int]bool // the days that date fields match, by their number
}

// wallMinute returns what the wall clock shows at an instant, in minutes since the epoch.
func wallMinute(t time.Time) int {
	wall := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	return int(wall.Unix() / 60)
}

func minuteTime(minute int) time.Time { return time.Unix(int64(minute)*60, 0).UTC() }

// walkCalendar finds all actions from some years before now on, for a cycle.
func walkCalendar(actions []action, now time.Time) (calendarWalk, error) {
	begin := time.Date(now.Year()-leadYears, 1, 1, 0, 0, 0, 0, time.UTC)
	walk := calendarWalk{
		from: wallMinute(begin), until: wallMinute(begin.AddDate(leadYears+cycleYears, 0, 0)),
		days: map[string]map[int]bool{},
	}
	for _, a := range actions {
		if a.replicas < 0 {
			return walk, fmt.Errorf("%s: it wants %d replicas: write a number from 0", a.name, a.replicas)
		}
		schedule, err := matchSchedule(a.cron)
		if err != nil {
			return walk, fmt.Errorf("%s: %w", a.name, err)
		}
		for at := begin.Add(-time.Second); ; {
			next := schedule.Next(at, 1)
			if len(next) == 0 || wallMinute(next[0].Start) >= walk.until {
				break
			}
			if len(walk.events) == maxMatches {
				return walk, fmt.Errorf("its schedules match more than %d times in %d years: declare the windows by hand",
					maxMatches, leadYears+cycleYears)
			}
			at = next[0].Start
			walk.events = append(walk.events, actionTime{wallMinute(at), a})
		}
	}
	// Of several actions at one minute the largest counts, because nobody guarantees their order.
	slices.SortStableFunc(walk.events, func(a, b actionTime) int {
		return cmp.Or(cmp.Compare(a.minute, b.minute), cmp.Compare(b.action.replicas, a.action.replicas))
	})
	return walk, nil
}

// matchSchedule compiles a cron expression whose matches are the starts of its windows.
func matchSchedule(cron string) (*scheduler.Schedule, error) {
	replicas := int32(1)
	return scheduler.Compile("cycle", v1alpha1.PeakScheduleSpec{
		TimeZone: "UTC",
		Windows: []v1alpha1.PeakWindow{{
			Name: "match", Schedule: cron, Duration: "1m", Demand: v1alpha1.PeakDemand{Replicas: &replicas},
		}},
	}, nil)
}

// spansOf returns when the level is one for which holds is true.
func (w calendarWalk) spansOf(holds func(int32) bool) []span {
	var out []span
	for i, e := range w.events {
		if i > 0 && w.events[i-1].minute == e.minute {
			continue // a smaller size at the same minute
		}
		open := len(out) > 0 && out[len(out)-1].end == w.until
		switch {
		case holds(e.action.replicas) && !open:
			out = append(out, span{e.minute, w.until})
		case !holds(e.action.replicas) && open:
			out[len(out)-1].end = e.minute
		}
	}
	return out
}

// covered returns what a window covers.
func (w calendarWalk) covered(cron string, duration int) []span {
	schedule, err := matchSchedule(cron)
	if err != nil {
		return nil
	}
	var out []span
	for at := minuteTime(w.from).Add(-time.Second); ; {
		next := schedule.Next(at, 1)
		if len(next) == 0 || wallMinute(next[0].Start) >= w.until {
			return out
		}
		at = next[0].Start
		out = append(out, span{wallMinute(at), wallMinute(at) + duration})
	}
}

// without returns what is in spans and not in others.
func without(spans, others []span) []span {
	others = slices.SortedFunc(slices.Values(others), func(a, b span) int { return cmp.Compare(a.start, b.start) })
	var out []span
	k := 0
	for _, s := range spans {
		for k < len(others) && others[k].end <= s.start {
			k++
		}
		at := s.start
		for i := k; i < len(others) && others[i].start < s.end; i++ {
			if others[i].start > at {
				out = append(out, span{at, others[i].start})
			}
			at = max(at, others[i].end)
		}
		if at < s.end {
			out = append(out, span{at, s.end})
		}
	}
	return out
}

// nextAction returns how many minutes after a time on the wall clock the next of the actions is.
func nextAction(actions []action, wall time.Time) (int, bool) {
	least, found := 0, false
	for _, a := range actions {
		schedule, err := matchSchedule(a.cron)
		if err != nil {
			continue
		}
		if next := schedule.Next(wall, 1); len(next) > 0 {
			if until := wallMinute(next[0].Start) - wallMinute(wall); !found || until < least {
				least, found = until, true
			}
		}
	}
	return least, found
}
