package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
)

// Selection is what the PeakSchedules and Calendars of a cluster mean for one Forecast: what
// counts, and what is left out because it is invalid. An object that is not meant for the Forecast
// never has an effect on it, whatever is wrong with it.
type Selection struct {
	// Schedules are the PeakSchedules that are for the Forecast and can be evaluated, by name. A
	// suspended one is among them and says nothing.
	Schedules []*Schedule
	// InvalidSchedules says, for each PeakSchedule that is for the Forecast and cannot be
	// evaluated, which fields are wrong. A Calendar that it names and that is missing or invalid is
	// such a field. So is one with more windows than are left of [MaxWindows], or more changes than
	// are left of [MaxChanges].
	InvalidSchedules []error
	// InvalidSelectors says which PeakSchedules of the Forecast's namespace do not name the
	// Forecast and have an invalid selector. Whether they are meant for the Forecast is not known,
	// so they do not count.
	InvalidSelectors []error
	// Calendars are those Calendars that the forecast learns from and that can be evaluated, by
	// name.
	Calendars Calendars
	// InvalidCalendars says which Calendars that the forecast learns from are missing or invalid,
	// and why.
	InvalidCalendars []error

	// SchedulesVersion changes whenever Schedules or InvalidSchedules may have changed.
	SchedulesVersion string
	// CalendarsVersion changes whenever Calendars or InvalidCalendars may have changed.
	CalendarsVersion string
}

// Select decides which of the PeakSchedules and Calendars apply to a Forecast, and compiles them.
// The controller and the command line both use it, so that they leave out the same objects.
//
//   - Of fc only name, namespace and labels count.
//   - learned are the names of the Calendars whose days the forecast learns
//     (spec.seasonality.calendars).
//   - schedules may be of any namespace; those of other namespaces do not count.
//   - calendars must have all that exist of those that [CalendarNames] returns; more do no harm.
//
// The lists are not changed.
func (c *Cache) Select(
	fc *v1alpha1.Forecast, learned []string, schedules []v1alpha1.PeakSchedule, calendars []v1alpha1.Calendar,
) Selection {
	var out Selection
	sorted := make([]*v1alpha1.PeakSchedule, len(schedules))
	for i := range schedules {
		sorted[i] = &schedules[i]
	}
	slices.SortFunc(sorted, byName)
	var versions []string
	var used budget
	for _, ps := range sorted {
		matcher, err := ps.ForecastMatcher()
		if !matcher.Matches(fc) {
			if err != nil && ps.Namespace == fc.Namespace {
				out.InvalidSelectors = append(out.InvalidSelectors, fmt.Errorf("PeakSchedule %s: %w", ps.Name, err))
			}
			continue
		}
		s, version, err := c.schedule(ps, calendars)
		versions = append(versions, version)
		if err != nil {
			out.InvalidSchedules = append(out.InvalidSchedules, fmt.Errorf("PeakSchedule %s: %w", ps.Name, err))
			continue
		}
		if err := used.take(s); err != nil {
			out.InvalidSchedules = append(out.InvalidSchedules, err)
			continue
		}
		out.Schedules = append(out.Schedules, s)
	}
	out.SchedulesVersion = strings.Join(versions, ",")

	named := c.named(learned, calendars)
	out.Calendars, out.CalendarsVersion = named.valid, named.version()
	out.InvalidCalendars = named.invalid
	for _, name := range named.missing {
		out.InvalidCalendars = append(out.InvalidCalendars,
			fmt.Errorf("calendar %q does not exist: create it, or remove its name", name))
	}
	return out
}

// CalendarNames returns the names of the Calendars that [Cache.Select] needs for these arguments,
// sorted.
func CalendarNames(learned []string, schedules []v1alpha1.PeakSchedule) []string {
	names := slices.Clone(learned)
	for i := range schedules {
		names = append(names, calendarNames(&schedules[i].Spec)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
