package schedules

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

const (
	// shownNext is how many coming occurrences status lists.
	shownNext = 3
	// shownForecasts is how many selected Forecasts status lists.
	shownForecasts = 256
	// maxActiveWindows is the longest text of active windows in status, in bytes.
	maxActiveWindows = 128
)

// describeSchedule fills in the status of a PeakSchedule at now, except its conditions. It returns
// how long that stays valid.
func describeSchedule(
	s *scheduler.Schedule, now time.Time, forecasts []v1alpha1.Forecast, status *v1alpha1.PeakScheduleStatus,
) time.Duration {
	wait := maxRequeue
	if change, ok := s.NextChange(now); ok {
		wait = min(wait, max(change.Sub(now)+time.Millisecond, maxWritePause))
	}
	var names []string
	for _, o := range s.Active(now) {
		status.Active = append(status.Active, windowOccurrence(o))
		names = append(names, o.Window)
	}
	status.ActiveWindows = shorten(strings.Join(names, ", "), maxActiveWindows)
	for _, o := range s.Next(now, shownNext) {
		status.Next = append(status.Next, windowOccurrence(o))
	}
	status.Expired = s.Expired(now)
	for i := range forecasts[:min(len(forecasts), shownForecasts)] {
		f := plannedDemand(&forecasts[i], now, status)
		if f.Demand != nil || f.DemandAtNext != nil {
			wait = min(wait, demandRefresh)
		}
		status.Forecasts = append(status.Forecasts, f)
	}
	return wait
}

func windowOccurrence(o scheduler.Occurrence) v1alpha1.WindowOccurrence {
	return v1alpha1.WindowOccurrence{
		Window: o.Window, LocalStart: o.Start.Format("2006-01-02T15:04:05-07:00"),
		Start: kube.MetaTime(o.Start), End: kube.MetaTime(o.End),
	}
}

// shorten cuts a text of ASCII characters to a length.
func shorten(text string, length int) string {
	if len(text) <= length {
		return text
	}
	return text[:length-3] + "..."
}

// plannedDemand returns what a Forecast's plan provides for: at now if a window is active, and when
// the next one starts. status has the active and the next windows.
func plannedDemand(
	fc *v1alpha1.Forecast, now time.Time, status *v1alpha1.PeakScheduleStatus,
) v1alpha1.SelectedForecast {
	out := v1alpha1.SelectedForecast{Name: fc.Name}
	if fc.Status.Plan == nil {
		return out
	}
	plan, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		return out
	}
	at := func(t time.Time) *resource.Quantity {
		value, ok := plan.At(t)
		if !ok {
			return nil
		}
		demand := kube.QuantityOf(kube.RoundUp(value))
		return &demand
	}
	if len(status.Active) > 0 {
		out.Demand = at(now)
	}
	if len(status.Next) > 0 {
		out.DemandAtNext = at(status.Next[0].Start.Time)
	}
	return out
}
