package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// zalandoZone is what Zalando's adapter uses for a missing or an unknown zone.
const zalandoZone = "Europe/Berlin"

type zalandoSchedule struct {
	Type     string `json:"type"`
	Date     string `json:"date"`
	EndDate  string `json:"endDate"`
	Duration int64  `json:"durationMinutes"`
	Value    int64  `json:"value"`
	Period   struct {
		StartTime string   `json:"startTime"`
		EndTime   string   `json:"endTime"`
		Days      []string `json:"days"`
		Timezone  string   `json:"timezone"`
	} `json:"period"`
}

func fromZalando(s *source) error {
	var in struct {
		Spec struct {
			Window    *int64            `json:"scalingWindowDurationMinutes"`
			Schedules []zalandoSchedule `json:"schedules"`
		} `json:"spec"`
	}
	if err := s.decode(&in); err != nil {
		return err
	}
	s.noteUnsupported(fields("scalingWindowDurationMinutes").
		with("schedules", fields("type", "date", "endDate", "durationMinutes", "value").
			with("period", fields("startTime", "endTime", "days", "timezone"))))
	ramp := valueOr(in.Spec.Window, 10)
	if in.Spec.Window == nil {
		s.note("it has no scalingWindowDurationMinutes: the adapter's default of 10 is assumed")
	}
	byZone := map[string][]v1alpha1.PeakWindow{}
	for i, x := range in.Spec.Schedules {
		w, zone, minutes, err := s.zalandoWindow(i, x)
		if err != nil {
			return err
		}
		if minutes <= 0 {
			s.note("schedules[%d] is not converted, because it has no duration", i)
			continue
		}
		w.Duration = v1alpha1.FormatDuration(time.Duration(minutes) * time.Minute)
		if ramp > 0 {
			d := v1alpha1.FormatDuration(time.Duration(ramp) * time.Minute)
			w.RampUp, w.RampDown = &d, &d
		}
		byZone[zone] = append(byZone[zone], w)
	}
	if len(byZone) == 0 {
		return fmt.Errorf("none of its %d schedules has a duration", len(in.Spec.Schedules))
	}
	v := conversion{name: s.meta.Name, groups: s.groupsByZone(byZone)}
	s.zalandoHPAs(&v)
	s.note("a window that crosses midnight lasts until its end, and a ramp may begin the day before: " +
		"the adapter evaluates only the date of today, and leaves both out")
	s.note("a ramp-up is a line that is complete at the start, and its last fifth is one step: " +
		"the adapter's ten steps reach nine tenths until the start")
	return s.write(v)
}

// zalandoWindow converts one schedule to a window without duration and ramps. It also returns the
// zone and the duration in minutes.
func (s *source) zalandoWindow(
	i int, x zalandoSchedule,
) (w v1alpha1.PeakWindow, zone string, minutes int64, err error) {
	w.Name = fmt.Sprintf("%s-%d", strings.ToLower(x.Type), i)
	w.Demand.AtLeast = new(quantity(x.Value))
	var start, end time.Time
	layout, endText := time.RFC3339, x.EndDate
	switch x.Type {
	case "OneTime":
		if start, err = time.Parse(time.RFC3339, x.Date); err != nil {
			return w, "", 0, fmt.Errorf("schedules[%d].date %q is not a time", i, x.Date)
		}
		zone, w.Start = "UTC", start.UTC().Format("2006-01-02T15:04:05")
	case "Repeating":
		if start, err = time.Parse("15:04", x.Period.StartTime); err != nil {
			return w, "", 0, fmt.Errorf("schedules[%d].period.startTime %q is not a time of day", i, x.Period.StartTime)
		}
		days, err := cronWeekdays(x.Period.Days)
		if err != nil {
			return w, "", 0, fmt.Errorf("schedules[%d].period.days: %w", i, err)
		}
		layout, endText = "15:04", x.Period.EndTime
		zone = s.zalandoZone(i, x.Period.Timezone)
		w.Schedule = fmt.Sprintf("%d %d * * %s", start.Minute(), start.Hour(), days)
	default:
		return w, "", 0, fmt.Errorf("schedules[%d].type %q is neither OneTime nor Repeating", i, x.Type)
	}
	minutes = x.Duration
	if end, err = time.Parse(layout, endText); err == nil {
		minutes = max(minutes, int64(end.Sub(start)/time.Minute))
	}
	return w, zone, minutes, nil
}

// zalandoZone returns the zone that the adapter uses for a name.
func (s *source) zalandoZone(i int, zone string) string {
	if zone == "" {
		s.note("schedules[%d] names no zone: the adapter's default of %s is assumed", i, zalandoZone)
		return zalandoZone
	}
	if _, err := v1alpha1.TimeZone(zone).Location(); err != nil {
		s.note("schedules[%d]: %v. The adapter silently uses %s, and so does the new PeakSchedule", i, err, zalandoZone)
		return zalandoZone
	}
	return zone
}

// zalandoHPAs finds the HorizontalPodAutoscaler that reads the schedule, which says what to scale.
func (s *source) zalandoHPAs(v *conversion) {
	for _, h := range s.c.hpas {
		for _, m := range h.Spec.Metrics {
			object := m.Object.DescribedObject
			if m.Type != "Object" || object.Kind != s.kind || object.Name != s.meta.Name ||
				s.kind == "ScalingSchedule" && h.Metadata.Namespace != s.meta.Namespace {
				continue
			}
			if m.Object.Target.AverageValue == "" {
				s.note("HorizontalPodAutoscaler %s reads it without an averageValue, so replicas would grow without end: "+
					"no Forecast is made for it", h.Metadata.Name)
				continue
			}
			if v.target.Name != "" {
				s.note("HorizontalPodAutoscaler %s reads it too: make a Forecast for it and add that to forecastRefs",
					h.Metadata.Name)
				continue
			}
			s.meta.Namespace = h.Metadata.Namespace
			v.target = h.Spec.ScaleTargetRef
			v.min, v.max = int32(valueOr(h.Spec.MinReplicas, 1)), int32(h.Spec.MaxReplicas)
			v.capacity = string(m.Object.Target.AverageValue)
		}
	}
	if v.target.Name == "" {
		s.note("no HorizontalPodAutoscaler among the files reads it, so no Forecast is made: give that manifest too, "+
			"or create a Forecast %s whose capacityPerReplica is that HPA's averageValue", s.meta.Name)
	}
	if s.kind == "ClusterScalingSchedule" {
		s.note("it is for the whole cluster, and a PeakSchedule belongs to a namespace: " +
			"apply one in each namespace that uses it")
	}
}

// cronWeekdays returns names of weekdays as a cron field.
func cronWeekdays(names []string) (string, error) {
	var days []int
	for _, name := range names {
		i := slices.Index([]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}, name)
		if i < 0 {
			return "", fmt.Errorf("%q is none of Sun to Sat", name)
		}
		days = append(days, i)
	}
	if len(days) == 0 {
		return "", errors.New("it names no day")
	}
	return cronList(days, 7), nil
}
