package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// windowsAbove returns the levels above base as windows. Levels that differ in their weekdays or
// hours only become one window.
func windowsAbove(levels []level, base int32) []v1alpha1.PeakWindow {
	used := map[string]int{}
	var windows []v1alpha1.PeakWindow
	for _, h := range groupByHour(groupByWeekday(levels, base)) {
		replicas := h.key.replicas
		windows = append(windows, v1alpha1.PeakWindow{
			Name:     uniqueName(used, h.name),
			Schedule: fmt.Sprintf("%d %s * * %s", h.key.minute, cronList(h.values, 24), h.key.weekdays),
			Duration: v1alpha1.FormatDuration(time.Duration(h.key.duration) * time.Minute),
			Demand:   v1alpha1.PeakDemand{Replicas: &replicas},
		})
	}
	return windows
}

// group has the levels with the same key: the name of the first, and the values in which they
// differ.
type group[K comparable] struct {
	key    K
	name   string
	values []int
}

// groups are in the order of their first levels.
type groups[K comparable] struct {
	list  []group[K]
	index map[K]int
}

func newGroups[K comparable]() groups[K] { return groups[K]{index: map[K]int{}} }

func (g *groups[K]) add(key K, name string, value int) {
	i, ok := g.index[key]
	if !ok {
		i = len(g.list)
		g.index[key] = i
		g.list = append(g.list, group[K]{key: key, name: name})
	}
	g.list[i].values = append(g.list[i].values, value)
}

// timeOfDay is what levels have in common that differ in their weekdays only.
type timeOfDay struct {
	minute, duration int // minute of the day
	replicas         int32
}

// groupByWeekday groups the levels above base that differ in their weekdays only.
func groupByWeekday(levels []level, base int32) []group[timeOfDay] {
	out := newGroups[timeOfDay]()
	for _, l := range levels {
		if l.replicas > base {
			out.add(timeOfDay{l.start % day, l.duration, l.replicas}, l.name, weekdayOf(l.start))
		}
	}
	return out.list
}

// minuteOfHour is what levels have in common that differ in their hours only.
type minuteOfHour struct {
	minute, duration int // minute of the hour
	replicas         int32
	weekdays         string
}

// groupByHour groups the levels that differ in their hours only.
func groupByHour(levels []group[timeOfDay]) []group[minuteOfHour] {
	out := newGroups[minuteOfHour]()
	for _, l := range levels {
		key := minuteOfHour{l.key.minute % 60, l.key.duration, l.key.replicas, cronList(l.values, 7)}
		out.add(key, l.name, l.key.minute/60)
	}
	return out.list
}

// cronList returns numbers as a cron field: "*" for all n of them, and ranges for consecutive ones.
func cronList(numbers []int, n int) string {
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

// uniqueName makes a valid name of a window that is not in used, and adds it there.
func uniqueName(used map[string]int, name string) string {
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
