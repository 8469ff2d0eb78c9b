// Package spec reads what a cluster says about planning for one Forecast.
package spec

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/today"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/scheduler"
)

// Spec is what a cluster says about planning for one Forecast. The server reads the same objects
// with the same code.
type Spec struct {
	Settings planner.Settings
	// Peaks has warnings that name what was left out, and why.
	Peaks report.Peaks
	// HPA is the one on the target of the Forecast; nil without one.
	HPA *report.HPA
}

// Read reads a Forecast's settings, the HPAs that read it and its peaks. What the user may not read
// is left out, with a warning. learned names the Calendars whose days the forecast learns; nil
// stands for those of the spec.
func Read(ctx context.Context, c client.Reader, fc *v1alpha1.Forecast, learned []string) (Spec, error) {
	var out Spec
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	err := c.List(ctx, &hpas, client.InNamespace(fc.Namespace))
	if forbidden(err, "HorizontalPodAutoscalers", &out.Peaks) != nil {
		return out, fmt.Errorf("list HorizontalPodAutoscalers: %w", err)
	}
	scaled, err := readScaledObjects(ctx, c, fc.Namespace)
	if forbidden(err, "ScaledObjects", &out.Peaks) != nil {
		return out, err
	}
	all := planner.Autoscalers{HPAs: hpas.Items, ScaledObjects: scaled}
	if out.Settings, err = planner.NewSettings(fc, all, planner.DefaultSync); err != nil {
		return out, err
	}
	out.HPA = today.HPA(fc, hpas.Items, Capacity(out.Settings, fc))
	if s := out.Settings.Scaling; out.HPA != nil && s.HPA != "" && out.HPA.Name == fc.Namespace+"/"+s.HPA {
		out.HPA.ReadsForecast = true // a trigger of a ScaledObject does, which the HPA's metrics do not show
	}
	if learned == nil {
		learned = out.Settings.Calendars
	}
	return out, out.readPeaks(ctx, c, fc, learned)
}

// readPeaks reads the PeakSchedules of a Forecast and the Calendars. An object that is not valid is
// left out, as on the server.
func (s *Spec) readPeaks(ctx context.Context, c client.Reader, fc *v1alpha1.Forecast, learned []string) error {
	var calendars v1alpha1.CalendarList
	if err := c.List(ctx, &calendars); forbidden(err, "Calendars", &s.Peaks) != nil {
		return fmt.Errorf("list Calendars: %w", err)
	}
	var schedules v1alpha1.PeakScheduleList
	err := c.List(ctx, &schedules, client.InNamespace(fc.Namespace))
	if forbidden(err, "PeakSchedules", &s.Peaks) != nil {
		return fmt.Errorf("list PeakSchedules: %w", err)
	}
	found := scheduler.NewCache().Select(fc, learned, schedules.Items, calendars.Items)
	s.Peaks.Schedules, s.Peaks.Calendars = found.Schedules, found.Calendars
	for _, invalid := range [][]error{found.InvalidSchedules, found.InvalidSelectors, found.InvalidCalendars} {
		for _, err := range invalid {
			s.Peaks.Warnings = append(s.Peaks.Warnings, fmt.Sprintf("left out, as on the server: %v", err))
		}
	}
	return nil
}

// Calendars returns the Calendars whose days the forecast learns.
func (s *Spec) Calendars() planner.Calendars {
	return planner.NewCalendars(s.Settings.Calendars, scheduler.Selection{Calendars: s.Peaks.Calendars})
}

// forbidden turns a missing permission into a warning: the user learns what was left out.
func forbidden(err error, what string, into *report.Peaks) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	into.Warnings = append(into.Warnings, fmt.Sprintf(
		"%s are left out: you have no permission to list them, the role headstart-view gives it (%v)", what, err))
	return nil
}

// Lead returns the lead of a Forecast: the fixed one, or the one that the server learned.
func Lead(set planner.Settings, fc *v1alpha1.Forecast) time.Duration {
	if set.Lead.Fixed != nil {
		return *set.Lead.Fixed
	}
	if fc.Status.LeadTime != nil {
		if lead, err := fc.Status.LeadTime.Value.Parse(); err == nil {
			return lead
		}
	}
	return set.Lead.Default
}

// Capacity returns the demand that one replica serves: the learned figure or the configured one; 0 if
// neither is known. If the user may not read the HPA, it is the figure in the status.
func Capacity(set planner.Settings, fc *v1alpha1.Forecast) float64 {
	if capacity := set.CapacityIn(fc.Status.CapacityPerReplica); capacity > 0 {
		return capacity
	}
	if fc.Status.CapacityPerReplica != nil {
		return fc.Status.CapacityPerReplica.Value.AsApproximateFloat64()
	}
	return 0
}

// InReplicas says how many replicas the metric of a Forecast asks for, where its unit is replicas.
func InReplicas(fc *v1alpha1.Forecast) string {
	served, c := fc.Status.Served, fc.Status.CapacityPerReplica
	if fc.Spec.Serve.Unit != v1alpha1.ServeReplicas || served == nil || c == nil || c.Value.Sign() <= 0 {
		return ""
	}
	n := served.Value.AsApproximateFloat64() / c.Value.AsApproximateFloat64()
	return fmt.Sprintf(" = %s replicas", strconv.FormatFloat(math.Round(n*1000)/1000, 'f', -1, 64))
}
