package icalendar

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// event is one VEVENT.
type event struct {
	component *component
	zones     *zones
	zone      zone // of the calendar, from X-WR-TIMEZONE; nil without one
	name      string
	uid       string
	replaces  *property // RECURRENCE-ID; nil for an event of its own
	sequence  int
	cancelled bool
}

func newEvent(c *component, zones *zones, calendar zone, cancels bool) *event {
	e := &event{component: c, zones: zones, zone: calendar, name: nameOf(c), uid: c.value("UID")}
	e.sequence, _ = strconv.Atoi(c.value("SEQUENCE"))
	e.cancelled = cancels || isName(c.value("STATUS"), "CANCELLED")
	if p, ok := c.first("RECURRENCE-ID"); ok {
		e.replaces = &p
	}
	return e
}

// nameOf returns the summary of an event, or its UID where it has none.
func nameOf(c *component) string {
	name := cmp.Or(unescape(c.value("SUMMARY")), unescape(c.value("UID")), "unnamed")
	// The API counts characters, not bytes.
	if runes := []rune(name); len(runes) > maxNameLength {
		name = string(runes[:maxNameLength])
	}
	return name
}

// start returns the first day of the event, and its start in full.
func (e *event) start() (moment, error) {
	p, ok := e.component.first("DTSTART")
	if !ok {
		return moment{}, errors.New("it has no DTSTART")
	}
	m, err := momentOf(p)
	if err != nil {
		return moment{}, err
	}
	if m.isUTC && e.zone != nil {
		m = fromWall(e.zone.toWall(m.wall()), "")
	}
	if !m.isDate && (m.seconds != 0 || m.isUTC) {
		return moment{}, fmt.Errorf("%q is a time of day, and a Calendar has whole days: "+
			"declare it as a window of a PeakSchedule", p.value)
	}
	return m, nil
}

// home returns the zone of the event's wall clock; nil where it is not known.
func (e *event) home(start moment) zone {
	if start.zoneID != "" {
		return e.zones.find(start.zoneID)
	}
	return e.zone
}

// onWall returns a moment on the wall clock of the event that starts at start. It fails where the
// zones that this takes are not known.
func (e *event) onWall(m, start moment) (moment, error) {
	if m.isDate || !m.isUTC && (m.zoneID == start.zoneID || m.zoneID == "" || start.isDate) {
		return m, nil
	}
	home := e.home(start)
	if m.isUTC && start.isDate && (home == nil || m.seconds == 0) {
		return m, nil // some programs write a date as its midnight in UTC
	}
	if home == nil {
		return moment{}, errors.New("it is a time in another zone, and its day in the zone of the event is not known")
	}
	utc := m.wall()
	if !m.isUTC {
		other := e.zones.find(m.zoneID)
		if other == nil {
			return moment{}, fmt.Errorf("its zone %q is not known", m.zoneID)
		}
		utc = other.toUTC(m.wall())
	}
	return fromWall(home.toWall(utc), start.zoneID), nil
}

var errNotWhole = errors.New("it does not last from one midnight to another")

// days returns how many days the event lasts. The end is the first day after it. An event that
// begins at a time and has neither an end nor a duration lasts no day.
func (e *event) days(start moment) (int, error) {
	if p, ok := e.component.first("DTEND"); ok {
		end, err := momentOf(p)
		if err == nil {
			end, err = e.onWall(end, start)
		}
		if err != nil {
			return 0, err
		}
		return e.daysUntil(end, start)
	}
	if p, ok := e.component.first("DURATION"); ok {
		return e.daysFor(p.value, start)
	}
	if start.isDate {
		return 1, nil
	}
	return 0, errNotWhole
}

// daysUntil returns the number of days from start to end.
func (e *event) daysUntil(end, start moment) (int, error) {
	days := dayNumber(end.day) - dayNumber(start.day)
	switch {
	case days < 0:
		return 0, errors.New("it ends before it begins")
	case days > maxEventDays:
		return 0, fmt.Errorf("it lasts %d days", days)
	case end.seconds == 0 && days > 0:
		return days, nil
	case end.seconds >= secondsPerDay-60: // some programs end a day a minute or a second early
		return days + 1, nil
	case start.isDate:
		return days + 1, nil // some programs write the first day as the end
	}
	return 0, errNotWhole
}

// daysFor returns how many days a duration lasts.
func (e *event) daysFor(text string, start moment) (int, error) {
	d, err := parseLength(text)
	if err != nil {
		return 0, fmt.Errorf("its duration %q is not a number of days or weeks", text)
	}
	days, whole := wholeDays(d.seconds)
	if home := e.home(start); !whole && home != nil && d.days <= maxEventDays && d.seconds <= maxEventDays*secondsPerDay {
		// A day on which clocks change has 23 or 25 hours.
		from := start.day.AddDate(0, 0, d.days)
		end := fromWall(home.toWall(home.toUTC(from).Add(time.Duration(d.seconds)*time.Second)), "")
		days, whole = dayNumber(end.day)-dayNumber(from), end.seconds == 0
	}
	days += d.days
	switch {
	case !whole && start.isDate:
		return 0, fmt.Errorf("its duration %q is not a number of days or weeks", text)
	case !whole, days == 0 && !start.isDate:
		return 0, errNotWhole
	case days > maxEventDays:
		return 0, fmt.Errorf("it lasts %d days", days)
	}
	return max(days, 1), nil
}

// wholeDays returns the first day of the event and how many days it lasts. It notes an event that a
// Calendar cannot hold, and reports false for it.
func (in *reader) wholeDays(e *event) (start moment, days int, ok bool) {
	start, err := e.start()
	if err != nil {
		in.note(e.name, "skipped: %v", err)
		return moment{}, 0, false
	}
	days, err = e.days(start)
	if err != nil && !start.isDate {
		why := ""
		if !errors.Is(err, errNotWhole) {
			why = ": " + err.Error()
		}
		in.note(e.name, "skipped, because it does not last from one midnight to another, and a Calendar has whole days: "+
			"declare it as a window of a PeakSchedule%s", why)
		return moment{}, 0, false
	}
	if err != nil {
		in.note(e.name, "only its first day is kept: %v", err)
		days = 1
	}
	return start, days, true
}

// dates reads EXDATE or RDATE. An event may have several of them, with several dates each.
func (in *reader) dates(e *event, start moment, days int, which string) []occurrence {
	var out []occurrence
	for _, p := range e.component.all(which) {
		for text := range strings.SplitSeq(p.value, ",") {
			text, period, _ := strings.Cut(text, "/")
			m, err := parseMoment(text, p.params["TZID"])
			if err == nil {
				m, err = e.onWall(m, start)
			}
			length := days
			if err == nil && period != "" {
				length, err = e.periodDays(m, period, p.params["TZID"])
			}
			if err != nil {
				in.note(e.name, "%s %q is skipped: %v", which, text, err)
				continue
			}
			if m.seconds != start.seconds && !m.isDate && which == "RDATE" {
				in.note(e.name, "%s %q is skipped, because it is not a whole day", which, text)
				continue
			}
			out = append(out, occurrence{e.name, dayNumber(m.day), length})
		}
	}
	return out
}

// periodDays returns the days of a period that begins at start. Its end is a time or a duration.
func (e *event) periodDays(start moment, end, zoneID string) (int, error) {
	if strings.HasPrefix(strings.TrimSpace(end), "P") {
		return e.daysFor(end, start)
	}
	m, err := parseMoment(end, zoneID)
	if err == nil {
		m, err = e.onWall(m, start)
	}
	if err != nil {
		return 0, err
	}
	return e.daysUntil(m, start)
}
