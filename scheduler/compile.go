package scheduler

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	maxWindows  = 64
	maxDuration = 3650 * 24 * time.Hour
	maxFactor   = 1000
	maxReplicas = 100000

	// The limits of the CRDs, for schedules that are evaluated without an API server.
	maxName      = 63
	maxDates     = 366
	maxCalendars = 8
	maxCron      = 128
)

var windowName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// compiler turns the strings of the API into values that can be evaluated. It collects an error for
// every field for which it cannot.
type compiler struct {
	fieldErrors
	calendars Calendars
	zone      *zone // of spec.timeZone; nil to compute it
}

func (c *compiler) schedule(name string, spec v1alpha1.PeakScheduleSpec) *Schedule {
	s := &Schedule{name: name, suspended: spec.State == v1alpha1.PeakScheduleSuspended}
	switch spec.State {
	case "", v1alpha1.PeakScheduleActive, v1alpha1.PeakScheduleSuspended:
	default:
		c.add("spec.state", string(spec.State), "write Active or Suspended")
	}
	if _, err := spec.Selector(); err != nil {
		c.fieldErrors = append(c.fieldErrors, err)
	}
	location, err := spec.TimeZone.Location()
	if err != nil {
		c.add("spec.timeZone", "", "%v", err)
		location = time.UTC
	}
	if s.zone = c.zone; s.zone == nil {
		s.zone = newZone(location)
	}
	allowed := c.allowed(spec)
	if spec.Except != nil {
		s.days = allowed
	}
	if n := len(spec.Windows); n == 0 || n > maxWindows {
		c.add("spec.windows", "", "%d windows: declare from 1 to %d, and put further ones into another PeakSchedule",
			n, maxWindows)
	}
	seen := map[string]bool{}
	for i, w := range spec.Windows {
		field := fmt.Sprintf("spec.windows[%d]", i)
		if seen[w.Name] {
			c.add(field+".name", w.Name, "another window has this name: give each its own")
		}
		seen[w.Name] = true
		compiled := c.window(field, w, s.zone, allowed)
		if !compiled.everStarts() {
			s.warnings = append(s.warnings,
				fmt.Sprintf("window %q never starts: spec.except and spec.only leave it no day", w.Name))
		}
		s.windows = append(s.windows, compiled)
	}
	return s
}

func (c *compiler) window(field string, w v1alpha1.PeakWindow, z *zone, allowed *daySet) window {
	compiled := window{name: w.Name}
	c.name(field+".name", w.Name)
	c.start(field, w, z, allowed, &compiled)
	compiled.duration = c.duration(field+".duration", &w.Duration)
	if compiled.duration == 0 {
		c.add(field+".duration", string(w.Duration), "a window needs a duration above 0: write for example 2h")
	}
	compiled.rampUp = c.duration(field+".rampUp", w.RampUp)
	compiled.rampDown = c.duration(field+".rampDown", w.RampDown)
	compiled.demand = c.demand(field+".demand", w.Demand)
	if w.Demand.AtMost != nil {
		c.noRamp(field+".rampUp", w.RampUp)
		c.noRamp(field+".rampDown", w.RampDown)
	}
	return compiled
}

// start sets when a window starts: by cron, or once.
func (c *compiler) start(field string, w v1alpha1.PeakWindow, z *zone, allowed *daySet, into *window) {
	const give = "give exactly one of schedule (five cron fields) and start (a wall-clock date and time)"
	switch {
	case w.Schedule != "" && w.Start != "":
		c.add(field, "", "it has both schedule and start: "+give)
	case w.Schedule != "":
		m, err := parseCron(w.Schedule)
		if len(w.Schedule) > maxCron {
			c.add(field+".schedule", w.Schedule[:maxCron]+"…",
				"it has %d characters: write at most %d, with ranges such as 0-5, or split the window",
				len(w.Schedule), maxCron)
		} else if err != nil {
			c.add(field+".schedule", w.Schedule, "%v", err)
		}
		m.allowed = allowed
		into.cron = &m
	case w.Start != "":
		wall, err := parseStart(w.Start)
		if err != nil {
			c.add(field+".start", w.Start, "%v", err)
		}
		into.once = z.firstInstant(wall)
		into.allowed = allowed == nil || allowed.has(int(wall/secondsPerDay))
	default:
		c.add(field, "", "it has neither schedule nor start: "+give)
	}
}

// noRamp refuses a ramp of a window with a maximum.
func (c *compiler) noRamp(field string, ramp *v1alpha1.Duration) {
	if ramp != nil {
		c.add(field, string(*ramp),
			"a maximum counts from start to end and has no ramp: remove the ramp, or widen the window")
	}
}

func (c *compiler) name(field, name string) {
	switch {
	case name == "":
		c.add(field, "", "name the window: status and messages use the name")
	case len(name) > maxName || !windowName.MatchString(name):
		c.add(field, name, "write up to %d lower-case letters, digits and dashes, such as black-friday", maxName)
	}
}

// duration returns 0 for a missing duration, and -1 for an invalid one.
func (c *compiler) duration(field string, d *v1alpha1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	parsed, err := d.Parse()
	switch {
	case err != nil:
		c.add(field, string(*d), "%v", err)
	case parsed > maxDuration:
		c.add(field, string(*d), "longer than %s: use bounds.min of the Forecast for demand that is always there",
			v1alpha1.FormatDuration(maxDuration))
	default:
		return parsed
	}
	return -1
}

// parseStart parses a wall-clock date and time. It returns a wall time in seconds, see [zone].
func parseStart(text string) (int64, error) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		t, err := time.Parse(layout, text)
		if err != nil || len(text) != len(layout) {
			continue
		}
		if t.Year() < firstYear || t.Year() > lastYear {
			return 0, fmt.Errorf("it is out of range: use years from %d to %d", firstYear, lastYear)
		}
		return t.Unix(), nil
	}
	return 0, errors.New("there is no such date and time: write YYYY-MM-DDTHH:MM on the wall clock of spec.timeZone, " +
		"without an offset, such as 2026-11-11T00:00")
}

func (c *compiler) demand(field string, d v1alpha1.PeakDemand) Demand {
	demand, given := Neutral(), 0
	quantity := func(name string, q *resource.Quantity, into *float64) {
		if q == nil {
			return
		}
		given++
		*into = q.AsApproximateFloat64()
		if q.Sign() < 0 || math.IsInf(*into, 0) || math.IsNaN(*into) {
			c.add(field+"."+name, q.String(), "write demand of 0 or more, in the unit of the Forecast's demand")
		}
	}
	quantity("atLeast", d.AtLeast, &demand.AtLeast)
	quantity("add", d.Add, &demand.Add)
	quantity("atMost", d.AtMost, &demand.AtMost)
	if d.Multiply != nil {
		given++
		factor, err := d.Multiply.Parse()
		if err != nil || !(factor > 0 && factor <= maxFactor) {
			c.add(field+".multiply", string(*d.Multiply), "write a factor above 0 and at most %d, such as \"3\"", maxFactor)
		}
		demand.Multiply = factor
	}
	if d.Replicas != nil {
		given++
		demand.Replicas = float64(*d.Replicas)
		if *d.Replicas < 0 || *d.Replicas > maxReplicas {
			c.add(field+".replicas", fmt.Sprint(*d.Replicas), "write a number of replicas from 0 to %d", maxReplicas)
		}
	}
	demand.MultiplyTo, demand.AddTo = demand.Multiply, demand.Add
	if given != 1 {
		c.add(field, "", "it has %d statements: give exactly one of atLeast, add, multiply, replicas and atMost", given)
	}
	return demand
}

// allowed returns the days on which windows may start; nil for all days.
func (c *compiler) allowed(spec v1alpha1.PeakScheduleSpec) *daySet {
	if spec.Only == nil && spec.Except == nil {
		return nil
	}
	allowed := &daySet{}
	if spec.Only != nil {
		c.days("spec.only", *spec.Only, allowed)
	} else {
		allowed.fill()
	}
	if spec.Except != nil {
		except := &daySet{}
		c.days("spec.except", *spec.Except, except)
		allowed.subtract(except)
	}
	return allowed
}

// days adds the dates and the days of the Calendars to a set.
func (c *compiler) days(field string, days v1alpha1.Days, into *daySet) {
	if len(days.Dates)+len(days.Calendars) == 0 {
		c.add(field, "", "it names no day: give dates or calendars, or remove it")
	}
	if len(days.Dates) > maxDates || len(days.Calendars) > maxCalendars {
		c.add(field, "", "%d dates and %d calendars: give up to %d and %d, write consecutive dates as ranges, "+
			"and put further ones into a Calendar", len(days.Dates), len(days.Calendars), maxDates, maxCalendars)
		return
	}
	for i, text := range days.Dates {
		s, err := parseSpan(text)
		if err != nil {
			c.add(fmt.Sprintf("%s.dates[%d]", field, i), text, "%v", err)
			continue
		}
		into.addSpan(s)
	}
	for i, name := range days.Calendars {
		calendar, ok := c.calendars[name]
		if !ok || calendar == nil {
			c.add(fmt.Sprintf("%s.calendars[%d]", field, i), name,
				"there is no Calendar of this name that can be evaluated: create or repair it, or remove it here")
			continue
		}
		into.union(&calendar.days)
	}
}

// everStarts reports whether the window has any start at all.
func (w *window) everStarts() bool {
	if w.cron == nil {
		return w.allowed
	}
	_, ok := w.cron.nextDay(0)
	return ok
}
