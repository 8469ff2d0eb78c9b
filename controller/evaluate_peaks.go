package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/scheduler"
)

// readPeaks reads the PeakSchedules and Calendars of the Forecast, and sets the condition
// PeaksValid.
func (e *evaluation) readPeaks(ctx context.Context) error {
	found, err := e.compiler.Selection(ctx, e.fc, e.set.Calendars)
	if err != nil {
		return err
	}
	e.found = found
	e.peaks = planner.Peaks{
		Schedules: found.Schedules, Version: found.SchedulesVersion, Invalid: len(found.InvalidSchedules) > 0,
	}
	if e.peaks.Invalid {
		e.conditions.SetFalse(v1alpha1.ConditionPeaksValid, "PeakScheduleInvalid",
			"left out: %s", kube.OneLine(errors.Join(found.InvalidSchedules...)))
		return nil
	}
	if e.set.DeclaresNothing(e.peaks) {
		e.conditions.SetFalse(v1alpha1.ConditionPeaksValid, "NoPeaks",
			"spec.demand is not set and no PeakSchedule selects this Forecast, so nothing can be planned: "+
				"name it in spec.forecastRefs of a PeakSchedule of namespace %s, "+
				"label it for the spec.forecastSelector of one, or set spec.demand or spec.bounds.min", e.fc.Namespace)
		return nil
	}
	if reason, message := e.windowsWithoutEffect(); reason != "" {
		e.conditions.SetFalse(v1alpha1.ConditionPeaksValid, reason, "%s", message)
		return nil
	}
	e.conditions.SetTrue(v1alpha1.ConditionPeaksValid, "Valid", "every declared peak can be evaluated")
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
				"of a replica is not known: set spec.capacityPerReplica here, averageValue in the HPA, "+
				"or metadata.targetValue in the trigger of the ScaledObject",
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
		Schedule: first.Schedule, Window: first.Window, Start: kube.MetaTime(first.Start), End: kube.MetaTime(first.End),
	}
}
