package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
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

// levels returns the levels between actions. Either all actions repeat every week, or all have the
// same date fields; dates are these fields in the second case, and empty in the first. On the
// weekdays in skip nothing happens, so that the level of the day before continues.
func levels(actions []action, skip map[int]bool) (out []level, dates string, err error) {
	dates, err = commonDates(actions)
	if err != nil {
		return nil, "", err
	}
	length := week
	if dates != "" {
		length = day
	}
	times, err := actionTimes(actions, dates, length, skip)
	if err != nil {
		return nil, "", err
	}
	if len(times) == 0 {
		return nil, "", errors.New("its excludeDates exclude all of its actions")
	}
	times = changes(times)
	for i, t := range times {
		next := times[(i+1)%len(times)].minute
		if next <= t.minute {
			next += length
		}
		out = append(out, level{t.action.name, t.minute, next - t.minute, t.action.replicas})
	}
	return out, dates, nil
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

// commonDates returns the date fields of the actions where they name dates; these must be the same
// then. It returns an empty string where all actions repeat every week.
func commonDates(actions []action) (string, error) {
	for _, a := range actions {
		if len(strings.Fields(a.cron)) != 5 {
			return "", fmt.Errorf("%s: schedule %q does not have five fields without its seconds", a.name, a.cron)
		}
	}
	if repeatWeekly(actions) {
		return "", nil
	}
	dates := strings.Join(strings.Fields(actions[0].cron)[2:], " ")
	for _, a := range actions {
		if strings.Join(strings.Fields(a.cron)[2:], " ") != dates {
			return "", errors.New("its schedules name different days of the month, so that the time between them " +
				"is not the same in every month: declare these windows by hand")
		}
	}
	return dates, nil
}

// repeatWeekly reports whether no action names a day of the month or a month.
func repeatWeekly(actions []action) bool {
	return !slices.ContainsFunc(actions, func(a action) bool {
		f := strings.Fields(a.cron)
		return len(f) == 5 && (!isWildcard(f[2]) || !isWildcard(f[3]))
	})
}

// actionTimes returns the minutes of the cycle at which actions happen, in the order of actions.
// With dates, the cycle is one day, which stands for every date.
func actionTimes(actions []action, dates string, length int, skip map[int]bool) ([]actionTime, error) {
	var times []actionTime
	for _, a := range actions {
		if a.replicas < 0 {
			return nil, fmt.Errorf("%s: it wants %d replicas: write a number from 0", a.name, a.replicas)
		}
		if _, err := matchesOf(a.cron, 0); err != nil { // checks the date fields too
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		cron := a.cron
		if dates != "" {
			f := strings.Fields(cron)
			cron = f[0] + " " + f[1] + " * * *"
		}
		minutes, err := matchesOf(cron, length)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		for _, minute := range minutes {
			if dates != "" || !skip[weekdayOf(minute)] {
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
	replicas := int32(1)
	s, err := scheduler.Compile("cycle", v1alpha1.PeakScheduleSpec{
		TimeZone: "UTC",
		Windows: []v1alpha1.PeakWindow{{
			Name: "match", Schedule: cron, Duration: "1m", Demand: v1alpha1.PeakDemand{Replicas: &replicas},
		}},
	}, nil)
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
