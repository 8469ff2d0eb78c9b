package convert

import (
	"errors"
	"strconv"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
)

// exceptions reads excludeDates: cron expressions with six fields that name days. One day of one
// month becomes a day of a Calendar. Weekdays are returned as a set where all actions repeat
// weekly.
func (s *source) exceptions(exclude []string, weekly bool) (days []v1alpha1.CalendarDay, weekdays map[int]bool) {
	weekdays = map[int]bool{}
	for _, text := range exclude {
		day, on, err := exception(text, weekly)
		if err != nil {
			s.note("excludeDates %q is not converted, because %v", text, err)
			continue
		}
		if day != nil {
			days = append(days, *day)
		}
		for _, weekday := range on {
			weekdays[weekday] = true
		}
	}
	if len(days) > 0 {
		s.note("on an excepted day no window starts; a window that started the day before lasts until its end")
	}
	if len(exclude) > 0 {
		s.note("excludeDates stand for the dates that they name; cronhpa compares month and hour only, " +
			"and so skips other actions")
	}
	return days, weekdays
}

// exception reads one of excludeDates. It returns a day of the year or weekdays.
func exception(text string, weekly bool) (*v1alpha1.CalendarDay, []int, error) {
	f := strings.Fields(text)
	if len(f) != 6 {
		return nil, nil, errors.New("it does not have six fields")
	}
	dayOfMonth, dayErr := strconv.Atoi(f[3])
	month, monthErr := strconv.Atoi(f[4])
	if dayErr == nil && monthErr == nil && isWildcard(f[5]) {
		d := int32(dayOfMonth)
		rule := &v1alpha1.YearlyRule{Month: int32(month), Day: &d}
		return &v1alpha1.CalendarDay{Name: "except", Yearly: rule}, nil, nil
	}
	minutes, err := matchesOf("0 0 * * "+f[5], week)
	if !weekly || !isWildcard(f[3]) || !isWildcard(f[4]) || err != nil {
		return nil, nil, errors.New("it names neither one day of one month nor only weekdays: name the days in spec.except")
	}
	var weekdays []int
	for _, minute := range minutes {
		weekdays = append(weekdays, weekdayOf(minute))
	}
	return nil, weekdays, nil
}
