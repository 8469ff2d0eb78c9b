package cli

import (
	"context"
	"errors"
	"fmt"
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

// clusterSpec is what the cluster says about planning for one Forecast. The server reads the same
// objects with the same code.
type clusterSpec struct {
	settings planner.Settings
	peaks    report.Peaks // its warnings name what was left out, and why
	hpa      *report.HPA  // on the target of the Forecast; nil without one
}

// readSpec reads a Forecast's settings, the HPAs that read it and its peaks. What the user may not
// read is left out, with a warning. learned names the Calendars whose days the forecast learns; nil
// stands for those of the spec.
func readSpec(ctx context.Context, c client.Reader, fc *v1alpha1.Forecast, learned []string) (clusterSpec, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWait)
	defer cancel()
	var out clusterSpec
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	err := c.List(ctx, &hpas, client.InNamespace(fc.Namespace))
	if forbidden(err, "HorizontalPodAutoscalers", &out.peaks) != nil {
		return out, fmt.Errorf("list HorizontalPodAutoscalers: %w", err)
	}
	scaled, err := readScaledObjects(ctx, c, fc.Namespace)
	if forbidden(err, "ScaledObjects", &out.peaks) != nil {
		return out, err
	}
	all := planner.Autoscalers{HPAs: hpas.Items, ScaledObjects: scaled}
	if out.settings, err = planner.NewSettings(fc, all, planner.DefaultSync); err != nil {
		return out, err
	}
	out.hpa = today.HPA(fc, hpas.Items, capacityOf(out.settings, fc))
	if learned == nil {
		learned = out.settings.Calendars
	}
	return out, out.readPeaks(ctx, c, fc, learned)
}

// readPeaks reads the PeakSchedules of a Forecast and the Calendars. An object that is not valid is
// left out, as on the server.
func (s *clusterSpec) readPeaks(ctx context.Context, c client.Reader, fc *v1alpha1.Forecast, learned []string) error {
	var calendars v1alpha1.CalendarList
	if err := c.List(ctx, &calendars); forbidden(err, "Calendars", &s.peaks) != nil {
		return fmt.Errorf("list Calendars: %w", err)
	}
	var schedules v1alpha1.PeakScheduleList
	err := c.List(ctx, &schedules, client.InNamespace(fc.Namespace))
	if forbidden(err, "PeakSchedules", &s.peaks) != nil {
		return fmt.Errorf("list PeakSchedules: %w", err)
	}
	found := scheduler.NewCache().Select(fc, learned, schedules.Items, calendars.Items)
	s.peaks.Schedules, s.peaks.Calendars = found.Schedules, found.Calendars
	for _, invalid := range [][]error{found.InvalidSchedules, found.InvalidSelectors, found.InvalidCalendars} {
		for _, err := range invalid {
			s.peaks.Warnings = append(s.peaks.Warnings, fmt.Sprintf("left out, as on the server: %v", err))
		}
	}
	return nil
}

// calendars returns the Calendars whose days the forecast learns.
func (s *clusterSpec) calendars() planner.Calendars {
	return planner.NewCalendars(s.settings.Calendars, scheduler.Selection{Calendars: s.peaks.Calendars})
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

// leadForReplay returns the lead of a Forecast: the fixed one, or the one that the server learned.
func leadForReplay(set planner.Settings, fc *v1alpha1.Forecast) time.Duration {
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

// capacityOf returns the demand that one replica serves; 0 if it is not known. If the user may not
// read the HPA, it is the figure in the status.
func capacityOf(set planner.Settings, fc *v1alpha1.Forecast) float64 {
	if capacity, _ := set.Capacity(); capacity > 0 {
		return capacity
	}
	if fc.Status.CapacityPerReplica != nil {
		return fc.Status.CapacityPerReplica.Value.AsApproximateFloat64()
	}
	return 0
}

// fromForecast sets the flags that were not given to the values of a Forecast in the cluster. given
// reports whether a flag was given.
func (o *reportOptions) fromForecast(
	ctx context.Context, c client.Reader, fc *v1alpha1.Forecast, given func(flag string) bool,
) (report.Peaks, error) {
	name := fc.Namespace + "/" + fc.Name
	var learned []string
	if given("calendars") {
		learned = o.calendars
	}
	spec, err := readSpec(ctx, c, fc, learned)
	if err != nil {
		return report.Peaks{}, fmt.Errorf("forecast %s: %w", name, err)
	}
	o.useSettings(spec.settings, fc, given)
	o.forecast.hpa = spec.hpa
	switch {
	case o.in.input == "" && o.in.prometheus == "":
		return report.Peaks{}, errors.New("this command reads the history itself: give --prometheus with an " +
			"address that you can reach, such as " + portForward)
	case o.in.input == "" && o.in.query == "":
		return report.Peaks{}, fmt.Errorf("forecast %s has no query, so it serves only its peaks: "+
			"give --query to replay a demand", name)
	case o.capacity == 0:
		return report.Peaks{}, fmt.Errorf("forecast %s: the capacity of one replica is not known: "+
			"give --capacity, or set spec.capacityPerReplica", name)
	}
	return spec.peaks, nil
}

// useSettings sets the flags that were not given to the values of the Forecast.
func (o *reportOptions) useSettings(set planner.Settings, fc *v1alpha1.Forecast, given func(flag string) bool) {
	o.forecast.settings, o.given = &set, given
	use := func(flag string, apply func()) {
		if !given(flag) {
			apply()
		}
	}
	if set.HasDemand && o.in.input == "" {
		use("query", func() { o.in.query = set.Query })
		use("step", func() { o.in.step = promDuration(set.Step) })
		use("history", func() { o.in.history = promDuration(set.History) })
	}
	use("horizon", func() { o.horizon = promDuration(set.Horizon) })
	use("lead", func() { o.lead = promDuration(leadForReplay(set, fc)) })
	use("capacity", func() { o.capacity = capacityOf(set, fc) })
	use("time-zone", func() { o.timeZone = set.Location.String() })
	use("calendars", func() { o.calendars = set.Calendars })
	if o.service == "" {
		o.service = fc.Name
	}
}
