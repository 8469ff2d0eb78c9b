package model

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/peaktext"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/scheduler"
)

// Week is the declared peaks and the named days of seven days.
type Week struct {
	// From is the first midnight, and Midnights are the starts of the days and the end of the last,
	// on the wall clock of Zone.
	Midnights []int64        `json:"midnights"`
	Zone      string         `json:"zone"`
	Schedules []WeekSchedule `json:"schedules"`
	Days      []Day          `json:"days"`
	Access    []Access       `json:"access"`
	// Problems name the objects that cannot be evaluated.
	Problems []string `json:"problems"`
}

// WeekSchedule is a PeakSchedule in a week.
type WeekSchedule struct {
	ID        string   `json:"id"`
	Zone      string   `json:"zone"`
	Suspended bool     `json:"suspended,omitempty"`
	Forecasts []string `json:"forecasts"`
	Windows   []Window `json:"windows"`
	// More reports whether there are more windows than these.
	More bool `json:"more,omitempty"`
	// Excluded are days on which no window starts, as indices into the week.
	Excluded []int `json:"excluded"`
}

// Day is a named day of a Calendar.
type Day struct {
	Calendar string `json:"calendar"`
	Name     string `json:"name"`
	Date     string `json:"date"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
}

// maxWindows bounds what is shown of one PeakSchedule in a week.
const maxWindows = 500

// daysInWeek are the days of a Week.
const daysInWeek = 7

// Week returns the seven days from the one that has the instant from, on the wall clock of zone.
func (b *Builder) Week(o Objects, from time.Time, zone *time.Location) Week {
	out := Week{Zone: zone.String(), Access: some(o.Access)}
	first := from.In(zone)
	var midnights []time.Time
	for i := range daysInWeek + 1 {
		midnight := time.Date(first.Year(), first.Month(), first.Day()+i, 0, 0, 0, 0, zone)
		midnights, out.Midnights = append(midnights, midnight), append(out.Midnights, midnight.Unix())
	}
	begin, end := midnights[0], midnights[daysInWeek]
	for i := range o.PeakSchedules {
		ps := &o.PeakSchedules[i]
		s, err := b.schedules.Schedule(ps, o.Calendars)
		if err != nil {
			out.Problems = append(out.Problems, "PeakSchedule "+ps.Namespace+"/"+ps.Name+": "+err.Error())
			continue
		}
		row := WeekSchedule{
			ID: ps.Namespace + "/" + ps.Name, Zone: s.Location().String(), Suspended: s.Suspended(), Forecasts: selected(ps),
		}
		row.Windows, row.More = windows(s, begin, end)
		row.Forecasts, row.Windows = some(row.Forecasts), some(row.Windows)
		for d := range daysInWeek {
			if s.Excluded(midnights[d], midnights[d+1]) {
				row.Excluded = append(row.Excluded, d)
			}
		}
		out.Schedules = append(out.Schedules, row)
	}
	for i := range out.Schedules {
		out.Schedules[i].Excluded = some(out.Schedules[i].Excluded)
	}
	slices.SortFunc(out.Schedules, func(a, b WeekSchedule) int { return strings.Compare(a.ID, b.ID) })
	for i := range o.Calendars {
		days, err := b.calendarDays(&o.Calendars[i], begin, end, zone)
		if err != nil {
			out.Problems = append(out.Problems, "Calendar "+o.Calendars[i].Name+": "+err.Error())
		}
		out.Days = append(out.Days, days...)
	}
	sortDays(out.Days)
	out.Schedules, out.Days, out.Problems = some(out.Schedules), some(out.Days), some(out.Problems)
	return out
}

// windows returns the occurrences of a schedule in [from, to), and whether there are more. A
// suspended one has none.
func windows(s *scheduler.Schedule, from, to time.Time) ([]Window, bool) {
	if s.Suspended() {
		return nil, false
	}
	found, complete := s.Between(from, to, maxWindows)
	out := make([]Window, len(found))
	for i, x := range found {
		out[i] = Window{
			Schedule: x.Schedule, Window: x.Window, From: x.Start.Unix(), To: x.End.Unix(),
			Demand: peaktext.Demand(x.Demand) + peaktext.Ramps(x),
		}
	}
	return out, !complete
}

// selected are the names of the Forecasts that a PeakSchedule applies to, by its status.
func selected(ps *v1alpha1.PeakSchedule) []string {
	var out []string
	for _, f := range ps.Status.Forecasts {
		out = append(out, f.Name)
	}
	return out
}

func (b *Builder) calendarDays(c *v1alpha1.Calendar, from, to time.Time, zone *time.Location) ([]Day, error) {
	compiled, err := b.schedules.Calendar(c)
	if err != nil {
		return nil, err
	}
	var out []Day
	for _, d := range compiled.Days(zone, from, to) {
		out = append(out, Day{Calendar: c.Name, Name: d.Name, Date: d.Date, From: d.Start.Unix(), To: d.End.Unix()})
	}
	return out, nil
}

func sortDays(days []Day) {
	slices.SortFunc(days, func(a, b Day) int {
		return cmp.Or(cmp.Compare(a.From, b.From), strings.Compare(a.Name, b.Name), strings.Compare(a.Calendar, b.Calendar))
	})
}

const (
	// peaksBack and peaksAhead are how much of the past and of the future a service shows.
	peaksBack  = 7 * 24 * time.Hour
	peaksAhead = 14 * 24 * time.Hour
)

// peaksOf returns the windows and the named days that apply to a Forecast.
func (b *Builder) peaksOf(o Objects, fc *v1alpha1.Forecast, now time.Time) ([]Window, []Day) {
	set, err := planner.ParseSpec(&fc.Spec)
	if err != nil {
		return nil, nil // the condition Ready says why
	}
	from, to := now.Add(-peaksBack), now.Add(peaksAhead)
	found := b.schedules.Select(fc, set.Calendars, o.PeakSchedules, o.Calendars)
	var peaks []Window
	for _, s := range found.Schedules {
		of, _ := windows(s, from, to)
		peaks = append(peaks, of...)
	}
	slices.SortFunc(peaks, func(a, b Window) int {
		return cmp.Or(cmp.Compare(a.From, b.From), strings.Compare(a.Schedule+a.Window, b.Schedule+b.Window))
	})
	var days []Day
	for name, c := range found.Calendars {
		for _, d := range c.Days(set.Location, from, to) {
			days = append(days, Day{Calendar: name, Name: d.Name, Date: d.Date, From: d.Start.Unix(), To: d.End.Unix()})
		}
	}
	sortDays(days)
	return peaks, days
}
