package icalendar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// zone converts between UTC and the wall clock of a place. The wall clock is a time that says UTC.
type zone interface {
	toWall(utc time.Time) time.Time
	toUTC(wall time.Time) time.Time
}

// located is a zone of the database of zones.
type located struct{ *time.Location }

func (z located) toWall(utc time.Time) time.Time {
	_, offset := utc.In(z.Location).Zone()
	return utc.Add(time.Duration(offset) * time.Second)
}

func (z located) toUTC(wall time.Time) time.Time {
	return time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, z.Location).UTC()
}

// transition is a change of the offset from UTC.
type transition struct {
	at     time.Time // in UTC
	offset time.Duration
}

// described is a zone that the file itself describes in a VTIMEZONE.
type described struct {
	before      time.Duration // the offset before the first transition
	transitions []transition
}

func (z described) offset(utc time.Time) time.Duration {
	i, found := slices.BinarySearchFunc(z.transitions, utc, func(t transition,
		at time.Time,
	) int {
		return t.at.Compare(at)
	})
	switch {
	case found:
		return z.transitions[i].offset
	case i == 0:
		return z.before
	}
	return z.transitions[i-1].offset
}

func (z described) toWall(utc time.Time) time.Time { return utc.Add(z.offset(utc)) }

func (z described) toUTC(wall time.Time) time.Time {
	near := wall.Add(-z.offset(wall))
	return wall.Add(-z.offset(near))
}

// zones finds the zones of one calendar.
type zones struct {
	definitions map[string]*component // VTIMEZONE by TZID
	found       map[string]zone       // nil for one that is not known
}

func newZones(calendar *component) *zones {
	z := &zones{definitions: map[string]*component{}, found: map[string]zone{}}
	for _, c := range calendar.children {
		if c.name == zoneName {
			z.definitions[strings.ReplaceAll(c.value("TZID"), `"`, "")] = c
		}
	}
	return z
}

// find returns the zone with an identifier; nil where it is not known.
func (z *zones) find(id string) zone {
	if id == "" {
		return nil
	}
	found, known := z.found[id]
	if !known {
		found = z.look(id)
		z.found[id] = found
	}
	return found
}

func (z *zones) look(id string) zone {
	definition := z.definitions[id]
	names := append([]string{id, windowsZones[id]}, pathSuffixes(id)...)
	if definition != nil {
		names = append(names, definition.value("X-LIC-LOCATION"))
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if location, err := v1alpha1.TimeZone(name).Location(); err == nil {
			return located{location}
		}
	}
	if definition != nil {
		return describe(definition)
	}
	return nil
}

// pathSuffixes returns the last two and three parts of an identifier such as
// "/example.org/20050126_1/Europe/Berlin".
func pathSuffixes(id string) []string {
	parts := strings.Split(id, "/")
	var out []string
	for _, n := range []int{2, 3} {
		if len(parts) > n {
			out = append(out, strings.Join(parts[len(parts)-n:], "/"))
		}
	}
	return out
}

// describe reads a VTIMEZONE; nil where it says nothing.
func describe(definition *component) zone {
	var z described
	var first time.Time
	for _, c := range definition.children {
		from, fromErr := parseOffset(c.value("TZOFFSETFROM"))
		to, toErr := parseOffset(c.value("TZOFFSETTO"))
		start, err := parseMoment(c.value("DTSTART"), "")
		if fromErr != nil || toErr != nil || err != nil {
			continue
		}
		for _, wall := range onsets(c, start) {
			at := wall.Add(-from)
			z.transitions = append(z.transitions, transition{at, to})
			if first.IsZero() || at.Before(first) {
				first, z.before = at, from
			}
		}
	}
	if len(z.transitions) == 0 {
		return nil
	}
	slices.SortFunc(z.transitions, func(a, b transition) int { return a.at.Compare(b.at) })
	return z
}

// onsets returns when a STANDARD or DAYLIGHT begins, on the wall clock before it.
func onsets(c *component, start moment) []time.Time {
	out := []time.Time{start.wall()}
	for _, p := range c.all("RRULE") {
		r, err := parseRecurrence(p.value)
		if err != nil {
			continue
		}
		if until, err := parseMoment(r.until, ""); err == nil {
			r.last = dayNumber(until.day) + 1
		}
		first := dayNumber(start.day)
		limit := dayNumber(time.Date(lastYear, 12, 31, 0, 0, 0, 0, time.UTC))
		budget := 1 << 18
		days, _ := r.expand(first, first, limit, &budget)
		for _, day := range days {
			out = append(out, dateOf(day).Add(time.Duration(start.seconds)*time.Second))
		}
	}
	for _, p := range c.all("RDATE") {
		for text := range strings.SplitSeq(p.value, ",") {
			if at, err := parseMoment(text, ""); err == nil {
				out = append(out, at.wall())
			}
		}
	}
	return out
}

// parseOffset reads an offset such as +0100 or -043000.
func parseOffset(text string) (time.Duration, error) {
	digits := strings.TrimLeft(text, "+-")
	if len(digits) == 4 {
		digits += "00"
	}
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 6 {
		return 0, strconv.ErrSyntax
	}
	offset := time.Duration(n/10000)*time.Hour + time.Duration(n/100%100)*time.Minute + time.Duration(n%100)*time.Second
	if strings.HasPrefix(text, "-") {
		offset = -offset
	}
	return offset, nil
}
