package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/scheduler"
)

// readPeaks reads the PeakSchedules and Calendars of the Forecast, and sets the condition
// PeaksValid.
func (e *evaluation) readPeaks(ctx context.Context) error {
	found, err := e.compiler.selection(ctx, e.fc, e.set.Calendars)
	if err != nil {
		return err
	}
	e.found = found
	e.peaks = planner.Peaks{
		Schedules: found.Schedules, Version: found.SchedulesVersion, Invalid: len(found.InvalidSchedules) > 0,
	}
	if e.peaks.Invalid {
		e.conditions.setFalse(v1alpha1.ConditionPeaksValid, "PeakScheduleInvalid",
			"left out: %s", oneLine(errors.Join(found.InvalidSchedules...)))
		return nil
	}
	if e.set.DeclaresNothing(e.peaks) {
		e.conditions.setFalse(v1alpha1.ConditionPeaksValid, "NoPeaks",
			"spec.demand is not set and no PeakSchedule selects this Forecast, so nothing can be planned: "+
				"name it in spec.forecastRefs of a PeakSchedule of namespace %s, "+
				"label it for the spec.forecastSelector of one, or set spec.demand or spec.bounds.min", e.fc.Namespace)
		return nil
	}
	if reason, message := e.windowsWithoutEffect(); reason != "" {
		e.conditions.setFalse(v1alpha1.ConditionPeaksValid, reason, "%s", message)
		return nil
	}
	e.conditions.setTrue(v1alpha1.ConditionPeaksValid, "Valid", "every declared peak can be evaluated")
	return nil
}

// windowsWithoutEffect names the windows that need something that this Forecast does not have.
func (e *evaluation) windowsWithoutEffect() (reason, message string) {
	var messages []string
	for _, s := range e.peaks.Schedules {
		needCapacity, needForecast := s.Needs(e.now)
		if len(needForecast) > 0 && !e.set.HasDemand {
			reason = "NothingToMultiply"
			messages = append(messages, fmt.Sprintf("PeakSchedule %s: %s multiply the forecast, "+
				"and without spec.demand there is none: declare atLeast or replicas there, or set spec.demand here",
				s.Name(), strings.Join(needForecast, ", ")))
		}
		if len(needCapacity) > 0 && e.capacity <= 0 {
			reason = "CapacityUnknown"
			messages = append(messages, fmt.Sprintf("PeakSchedule %s: %s are in replicas, and the capacity "+
				"of a replica is not known: set spec.capacityPerReplica here, or averageValue in the HPA",
				s.Name(), strings.Join(needCapacity, ", ")))
		}
	}
	return reason, strings.Join(messages, "; ")
}

// nextPeak returns the occurrence that is active, or else the one that starts next; nil where there
// is none.
func (e *evaluation) nextPeak() *v1alpha1.PeakOccurrence {
	var first *scheduler.Occurrence
	for _, s := range e.peaks.Schedules {
		for _, o := range append(s.Active(e.now), s.Next(e.now, 1)...) {
			if first == nil || o.Start.Before(first.Start) {
				first = &o
			}
		}
	}
	if first == nil {
		return nil
	}
	return &v1alpha1.PeakOccurrence{
		Schedule: first.Schedule, Window: first.Window, Start: metaTime(first.Start), End: metaTime(first.End),
	}
}

// Compiler reads PeakSchedules and Calendars, and caches their compiled forms, see
// [scheduler.Cache]. It is safe for concurrent use.
type Compiler struct {
	*scheduler.Cache
	reader client.Reader
}

// NewCompiler returns a Compiler that reads PeakSchedules and Calendars from reader.
func NewCompiler(reader client.Reader) *Compiler {
	return &Compiler{Cache: scheduler.NewCache(), reader: reader}
}

// selection returns the compiled PeakSchedules that select a Forecast, and its compiled Calendars.
// learned are the names of the Calendars whose days the forecast learns.
func (c *Compiler) selection(
	ctx context.Context, fc *v1alpha1.Forecast, learned []string,
) (scheduler.Selection, error) {
	var list v1alpha1.PeakScheduleList
	if err := c.reader.List(ctx, &list, client.InNamespace(fc.Namespace)); err != nil {
		return scheduler.Selection{}, fmt.Errorf("list the PeakSchedules of %s: %w", fc.Namespace, err)
	}
	calendars, err := c.calendars(ctx, scheduler.CalendarNames(learned, list.Items))
	if err != nil {
		return scheduler.Selection{}, err
	}
	return c.Select(fc, learned, list.Items, calendars), nil
}

// schedule compiles one PeakSchedule with the Calendars that it names.
func (c *Compiler) schedule(ctx context.Context, ps *v1alpha1.PeakSchedule) (*scheduler.Schedule, error) {
	calendars, err := c.calendars(ctx, scheduler.CalendarNames(nil, []v1alpha1.PeakSchedule{*ps}))
	if err != nil {
		return nil, err
	}
	return c.Schedule(ps, calendars)
}

// calendars reads the Calendars of these names. Those that do not exist are left out.
func (c *Compiler) calendars(ctx context.Context, names []string) ([]v1alpha1.Calendar, error) {
	var out []v1alpha1.Calendar
	for _, name := range names {
		var cal v1alpha1.Calendar
		err := c.reader.Get(ctx, types.NamespacedName{Name: name}, &cal)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("read calendar %q: %w", name, err)
		default:
			out = append(out, cal)
		}
	}
	return out, nil
}

// selects reports whether a PeakSchedule selects a Forecast. An invalid selector selects nothing.
// The condition of the PeakSchedule has the error; a Forecast that may not be meant is not
// affected.
func selects(ps *v1alpha1.PeakSchedule, fc *v1alpha1.Forecast) bool {
	matcher, _ := ps.ForecastMatcher()
	return matcher.Matches(fc)
}
