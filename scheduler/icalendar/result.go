package icalendar

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// result sorts the collected days, and checks them as the API server and the controller would.
func (in *reader) result() (Result, error) {
	names := map[string]bool{}
	for name := range in.dated {
		names[name] = true
	}
	for name := range in.rules {
		names[name] = true
	}
	var spec v1alpha1.CalendarSpec
	for _, name := range sortedKeys(names) {
		seen := map[v1alpha1.YearlyRule]bool{}
		for _, rule := range in.rules[name] {
			if key := ruleKey(rule); !seen[key] {
				seen[key] = true
				spec.Days = append(spec.Days, v1alpha1.CalendarDay{Name: name, Yearly: &rule})
			}
		}
		for chunk := range slices.Chunk(mergeDates(sortedKeys(in.dated[name])), maxDatesPerName) {
			spec.Days = append(spec.Days, v1alpha1.CalendarDay{Name: name, Dates: chunk})
		}
	}
	if len(spec.Days) == 0 {
		return Result{Notes: in.notes}, errors.New("the iCalendar file has no all-day event that can be converted")
	}
	if len(spec.Days) > maxDays {
		return Result{Notes: in.notes}, fmt.Errorf("the iCalendar file has %d days, and a Calendar at most %d: "+
			"skip past years with --from, or split the file", len(spec.Days), maxDays)
	}
	if _, err := scheduler.CompileCalendar("imported", spec); err != nil {
		return Result{Notes: in.notes}, fmt.Errorf("the result is not a valid Calendar: %w", err)
	}
	return Result{Spec: spec, Notes: in.notes}, nil
}

// ruleKey returns a rule without pointers that is the same for equal rules.
func ruleKey(r v1alpha1.YearlyRule) v1alpha1.YearlyRule {
	month := r.Month * 10000
	if r.Day != nil {
		month += *r.Day
	}
	if r.Weekday != nil && r.Nth != nil {
		month += int32(slices.Index(weekdays, *r.Weekday)+1)*100 + 50 + *r.Nth
	}
	return v1alpha1.YearlyRule{Month: month}
}

// mergeDates merges consecutive dates into ranges.
func mergeDates(dates []string) []string {
	var out []string
	for i := 0; i < len(dates); {
		j := i
		for j+1 < len(dates) && follows(dates[j], dates[j+1]) {
			j++
		}
		if i == j {
			out = append(out, dates[i])
		} else {
			out = append(out, dates[i]+"/"+dates[j])
		}
		i = j + 1
	}
	return out
}

// follows reports whether b is the day after a.
func follows(a, b string) bool {
	day, err := time.Parse(dateLayout, a)
	return err == nil && day.AddDate(0, 0, 1).Format(dateLayout) == b
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
