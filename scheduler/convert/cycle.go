package convert

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// edge is an action of another autoscaler: at every time of a cron, from then on, so many replicas.
type edge struct {
	name  string
	cron  string // five fields
	value int32
}

// stretch is the time from one edge to the next, in minutes of the cycle.
type stretch struct {
	name            string
	start, duration int
	value           int32
}

// action is one edge at one minute of the cycle.
type action struct {
	at   int
	edge edge
}

const (
	day  = 24 * 60
	week = 7 * day
)

// monday is a week without a change of any clock, to read crons in.
var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// levels turns edges into stretches between them. All edges must repeat every week, or all on the same dates; then the date
// fields are returned too. skip are weekdays on which nothing happens, so that the state of the day before stays.
func levels(edges []edge, skip map[int]bool) (stretches []stretch, dates string, err error) {
	dates, err = commonDates(edges)
	if err != nil {
		return nil, "", err
	}
	length := week
	if dates != "" {
		length = day
	}
	actions, err := actionsOf(edges, dates, length, skip)
	if err != nil {
		return nil, "", err
	}
	if len(actions) == 0 {
		return nil, "", errors.New("none of its actions is left by its excludeDates")
	}
	// Of several actions at one time the largest holds; the others are not an order that anybody guarantees.
	slices.SortStableFunc(actions, func(a, b action) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return int(b.edge.value - a.edge.value)
	})
	actions = slices.CompactFunc(actions, func(a, b action) bool { return a.at == b.at })
	// An action that changes nothing begins no stretch.
	var changes []action
	for i, a := range actions {
		if before := actions[(i+len(actions)-1)%len(actions)]; len(actions) == 1 || before.edge.value != a.edge.value {
			changes = append(changes, a)
		}
	}
	if len(changes) == 0 {
		changes = actions[:1] // every action says the same
	}
	for i, a := range changes {
		next := changes[(i+1)%len(changes)].at
		if next <= a.at {
			next += length
		}
		stretches = append(stretches, stretch{a.edge.name, a.at, next - a.at, a.edge.value})
	}
	return stretches, dates, nil
}

// commonDates returns the date fields of the edges where these name dates, which must be the same then; empty where all of them
// repeat every week.
func commonDates(edges []edge) (string, error) {
	weekly := true
	for _, e := range edges {
		f := strings.Fields(e.cron)
		if len(f) != 5 {
			return "", fmt.Errorf("%s: schedule %q has not five fields without its seconds", e.name, e.cron)
		}
		if !anything(f[2]) || !anything(f[3]) {
			weekly = false
		}
	}
	if weekly {
		return "", nil
	}
	dates := strings.Join(strings.Fields(edges[0].cron)[2:], " ")
	for _, e := range edges {
		if strings.Join(strings.Fields(e.cron)[2:], " ") != dates {
			return "", errors.New("its schedules name days of the month that differ, so how long each state lasts changes from month to month: declare these windows by hand")
		}
	}
	return dates, nil
}

// actionsOf returns the minutes of the cycle at which edges act, in the order of the edges. A cycle of one day stands for every date.
func actionsOf(edges []edge, dates string, length int, skip map[int]bool) ([]action, error) {
	var actions []action
	for _, e := range edges {
		if e.value < 0 {
			return nil, fmt.Errorf("%s: it wants %d replicas: write a number from 0", e.name, e.value)
		}
		if _, err := timesOf(e.cron, 0); err != nil { // one whose date never comes, too
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		cron := e.cron
		if dates != "" {
			f := strings.Fields(cron)
			cron = f[0] + " " + f[1] + " * * *"
		}
		times, err := timesOf(cron, length)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		for _, at := range times {
			if dates != "" || !skip[weekdayOf(at)] {
				actions = append(actions, action{at, e})
			}
		}
	}
	return actions, nil
}

// weekdayOf returns the weekday of a minute of the cycle, which begins on a Monday; Sunday is 0.
func weekdayOf(minute int) int { return (minute/day + 1) % 7 }

func anything(field string) bool { return field == "*" || field == "?" || field == "*/1" }

// timesOf lists the minutes of a cycle at which a cron matches.
func timesOf(cron string, length int) ([]int, error) {
	replicas := int32(1)
	s, err := scheduler.Compile("cycle", v1alpha1.PeakScheduleSpec{TimeZone: "UTC", Windows: []v1alpha1.PeakWindow{{
		Name: "edge", Schedule: cron, Duration: "1m", Demand: v1alpha1.PeakDemand{Replicas: &replicas},
	}}}, nil)
	if err != nil {
		return nil, err
	}
	var times []int
	for at := monday.Add(-time.Second); ; {
		next := s.Next(at, 1)
		if len(next) == 0 || !next[0].Start.Before(monday.Add(time.Duration(length)*time.Minute)) {
			return times, nil
		}
		at = next[0].Start
		times = append(times, int(at.Sub(monday)/time.Minute))
	}
}

// windowsAbove writes the stretches above a base as windows.
func windowsAbove(stretches []stretch, base int32, dates string) []v1alpha1.PeakWindow {
	type shape struct {
		minute, duration int
		value            int32
		weekdays         string
	}
	type weekly struct {
		timeOfDay, duration int
		value               int32
	}
	names := map[weekly]string{}
	onDays := map[weekly][]int{}
	var order []weekly
	for _, s := range stretches {
		if s.value <= base {
			continue
		}
		key := weekly{s.start % day, s.duration, s.value}
		if onDays[key] == nil {
			order = append(order, key)
			names[key] = s.name
		}
		onDays[key] = append(onDays[key], weekdayOf(s.start))
	}
	hours := map[shape][]int{}
	shapeNames := map[shape]string{}
	var shapes []shape
	for _, key := range order {
		s := shape{key.timeOfDay % 60, key.duration, key.value, list(onDays[key], 7)}
		if hours[s] == nil {
			shapes = append(shapes, s)
			shapeNames[s] = names[key]
		}
		hours[s] = append(hours[s], key.timeOfDay/60)
	}
	used := map[string]int{}
	var windows []v1alpha1.PeakWindow
	for _, s := range shapes {
		on := "* * " + s.weekdays
		if dates != "" {
			on = dates
		}
		windows = append(windows, v1alpha1.PeakWindow{
			Name:     unique(used, shapeNames[s]),
			Schedule: fmt.Sprintf("%d %s %s", s.minute, list(hours[s], 24), on),
			Duration: v1alpha1.FormatDuration(time.Duration(s.duration) * time.Minute),
			Demand:   v1alpha1.PeakDemand{Replicas: &s.value},
		})
	}
	return windows
}

// list writes numbers as a cron field: "*" for all of n, ranges where they follow each other.
func list(numbers []int, n int) string {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	if len(numbers) == n {
		return "*"
	}
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		switch {
		case i == j:
			parts = append(parts, strconv.Itoa(numbers[i]))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// unique makes a valid window name that was not used yet.
func unique(used map[string]int, name string) string {
	clean := []rune(strings.ToLower(name))
	for i, c := range clean {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			clean[i] = '-'
		}
	}
	text := strings.Trim(string(clean[:min(len(clean), 50)]), "-")
	if text == "" {
		text = "window"
	}
	used[text]++
	if n := used[text]; n > 1 {
		return fmt.Sprintf("%s-%d", text, n)
	}
	return text
}
