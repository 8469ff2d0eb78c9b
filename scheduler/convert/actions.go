package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// action is an action of another autoscaler: at every match of a cron expression, it sets a number
// of replicas, which stays until the next action.
type action struct {
	name     string
	cron     string // five fields
	replicas int32
}

// level is the time from one action to the next, in minutes of the cycle.
type level struct {
	name            string
	start, duration int
	replicas        int32
}

// actionTime is one action at one minute of the cycle.
type actionTime struct {
	minute int
	action action
}

// The lengths of a cycle in minutes.
const (
	day  = 24 * 60
	week = 7 * day
)

// monday begins a week without a clock change, in which cron expressions are evaluated.
var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// levels returns the levels between actions that repeat every week. On the weekdays in skip nothing
// happens, so that the level of the day before continues.
func levels(actions []action, skip map[int]bool) (out []level, err error) {
	times, err := actionTimes(actions, skip)
	if err != nil {
		return nil, err
	}
	if len(times) == 0 {
		return nil, errors.New("its excludeDates exclude all of its actions")
	}
	times = changes(times)
	for i, t := range times {
		next := times[(i+1)%len(times)].minute
		if next <= t.minute {
			next += week
		}
		out = append(out, level{t.action.name, t.minute, next - t.minute, t.action.replicas})
	}
	return out, nil
}

// changes returns the actions that change the number of replicas, in the order of time. Of several
// actions at one minute the largest counts, because nobody guarantees their order.
func changes(times []actionTime) []actionTime {
	slices.SortStableFunc(times, func(a, b actionTime) int {
		if a.minute != b.minute {
			return a.minute - b.minute
		}
		return int(b.action.replicas - a.action.replicas)
	})
	times = slices.CompactFunc(times, func(a, b actionTime) bool { return a.minute == b.minute })
	var out []actionTime
	for i, t := range times {
		before := times[(i+len(times)-1)%len(times)]
		if len(times) == 1 || before.action.replicas != t.action.replicas {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return times[:1] // all actions set the same number
	}
	return out
}

// repeatWeekly reports whether no action names a day of the month or a month.
func repeatWeekly(actions []action) bool {
	return !slices.ContainsFunc(actions, func(a action) bool {
		f := strings.Fields(a.cron)
		return len(f) == 5 && (!isWildcard(f[2]) || !isWildcard(f[3]))
	})
}

// actionTimes returns the minutes of the week at which actions happen, in the order of actions.
func actionTimes(actions []action, skip map[int]bool) ([]actionTime, error) {
	var times []actionTime
	for _, a := range actions {
		if a.replicas < 0 {
			return nil, fmt.Errorf("%s: it wants %d replicas: write a number from 0", a.name, a.replicas)
		}
		minutes, err := matchesOf(a.cron, week)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		for _, minute := range minutes {
			if !skip[weekdayOf(minute)] {
				times = append(times, actionTime{minute, a})
			}
		}
	}
	return times, nil
}

// weekdayOf returns the weekday of a minute of the cycle, with Sunday as 0. A cycle begins on a
// Monday.
func weekdayOf(minute int) int { return (minute/day + 1) % 7 }

// isWildcard reports whether a cron field matches everything.
func isWildcard(field string) bool { return field == "*" || field == "?" || field == "*/1" }

// matchesOf returns the minutes of a cycle at which a cron expression matches.
func matchesOf(cron string, length int) ([]int, error) {
	s, err := matchSchedule(cron)
	if err != nil {
		return nil, err
	}
	var minutes []int
	for at := monday.Add(-time.Second); ; {
		next := s.Next(at, 1)
		if len(next) == 0 || !next[0].Start.Before(monday.Add(time.Duration(length)*time.Minute)) {
			return minutes, nil
		}
		at = next[0].Start
		minutes = append(minutes, int(at.Sub(monday)/time.Minute))
	}
}
