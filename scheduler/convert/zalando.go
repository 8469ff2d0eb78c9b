package convert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler/manifest"
)

// Zalando's adapter reads a missing or unknown zone as this one.
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
	if err := json.Unmarshal(s.raw, &in); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	s.leftovers(fields("scalingWindowDurationMinutes").with("schedules", fields("type", "date", "endDate", "durationMinutes", "value").
		with("period", fields("startTime", "endTime", "days", "timezone"))))
	ramp := deref(in.Spec.Window, 10)
	if in.Spec.Window == nil {
		s.note("it names no scalingWindowDurationMinutes: the adapter's default of 10 is assumed")
	}
	byZone := map[string][]v1alpha1.PeakWindow{}
	for i, x := range in.Spec.Schedules {
		w, zone, minutes, err := s.zalandoWindow(i, x)
		if err != nil {
			return err
		}
		if minutes <= 0 {
			s.note("schedules[%d] is not carried over, for it lasts no time", i)
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
		return fmt.Errorf("none of its %d schedules lasts any time", len(in.Spec.Schedules))
	}
	p := plan{name: s.meta.Name, peaks: s.groups(byZone)}
	s.zalandoReader(&p)
	s.note("a window that crosses midnight lasts until its end, and a ramp may begin the day before; the adapter looks at today's date alone and drops both")
	s.note("a rising ramp is a line that takes the last fifth at once and is complete at the start; the adapter's ten steps serve nine tenths until then")
	return s.emit(p)
}

// zalandoWindow converts one schedule to a window, but for its duration and ramps, with its zone and its length in minutes.
func (s *source) zalandoWindow(i int, x zalandoSchedule) (w v1alpha1.PeakWindow, zone string, minutes int64, err error) {
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
		days, err := weekdaysOf(x.Period.Days)
		if err != nil {
			return w, "", 0, fmt.Errorf("schedules[%d].period.days: %w", i, err)
		}
		layout, endText = "15:04", x.Period.EndTime
		zone, w.Schedule = s.zalandoZone(i, x.Period.Timezone), fmt.Sprintf("%d %d * * %s", start.Minute(), start.Hour(), days)
	default:
		return w, "", 0, fmt.Errorf("schedules[%d].type %q is neither OneTime nor Repeating", i, x.Type)
	}
	minutes = x.Duration
	if end, err = time.Parse(layout, endText); err == nil {
		minutes = max(minutes, int64(end.Sub(start)/time.Minute))
	}
	return w, zone, minutes, nil
}

// zalandoZone is the zone that the adapter reads a name as.
func (s *source) zalandoZone(i int, zone string) string {
	if zone == "" {
		s.note("schedules[%d] names no zone: the adapter's default of %s is assumed", i, zalandoZone)
		return zalandoZone
	}
	if _, err := v1alpha1.TimeZone(zone).Location(); err != nil {
		s.note("schedules[%d]: %v. The adapter silently reads it as %s, and so it is converted", i, err, zalandoZone)
		return zalandoZone
	}
	return zone
}

// zalandoReader finds the HorizontalPodAutoscaler that reads the schedule, for it says whom to scale.
func (s *source) zalandoReader(p *plan) {
	for _, h := range s.c.hpas {
		for _, m := range h.Spec.Metrics {
			object := m.Object.DescribedObject
			if m.Type != "Object" || object.Kind != s.kind || object.Name != s.meta.Name || s.kind == "ScalingSchedule" && h.Metadata.Namespace != s.meta.Namespace {
				continue
			}
			if m.Object.Target.AverageValue == "" {
				s.note("HorizontalPodAutoscaler %s reads it without an averageValue, with which a value far ahead runs away: no Forecast is made for it", h.Metadata.Name)
				continue
			}
			if p.target.Name != "" {
				s.note("HorizontalPodAutoscaler %s reads it too: make a Forecast for it and add it to forecastRefs", h.Metadata.Name)
				continue
			}
			s.meta.Namespace = h.Metadata.Namespace
			p.target, p.min, p.max = h.Spec.ScaleTargetRef, deref(h.Spec.MinReplicas, 1), h.Spec.MaxReplicas
			p.capacity = m.Object.Target.AverageValue
		}
	}
	if p.target.Name == "" {
		s.note("no HorizontalPodAutoscaler among the files reads it, so no Forecast is made: give that manifest too, or create a Forecast %s whose capacityPerReplica is that HPA's averageValue", s.meta.Name)
	}
	if s.kind == "ClusterScalingSchedule" {
		s.note("it is for the whole cluster, and PeakSchedules belong to a namespace: apply one in each that uses it")
	}
}

func weekdaysOf(names []string) (string, error) {
	var days []int
	for _, name := range names {
		i := slices.Index([]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}, name)
		if i < 0 {
			return "", fmt.Errorf("%q is none of Sun to Sat", name)
		}
		days = append(days, i)
	}
	if len(days) == 0 {
		return "", fmt.Errorf("it names no day")
	}
	return list(days, 7), nil
}
