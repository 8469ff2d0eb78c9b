package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/scheduler"
)

func (e *evaluation) readPeaks(ctx context.Context) error {
	found, err := e.compiler.selection(ctx, e.fc, e.set.Calendars)
	if err != nil {
		return err
	}
	e.found = found
	e.peaks = planner.Peaks{Schedules: found.Schedules, Version: found.SchedulesVersion, Invalid: len(found.InvalidSchedules) > 0}
	if e.peaks.Invalid {
		e.v.fail(v1alpha1.ConditionPeaksValid, "PeakScheduleInvalid", "left out: %s", oneLine(errors.Join(found.InvalidSchedules...)))
		return nil
	}
	if e.nothingAsked() {
		e.v.fail(v1alpha1.ConditionPeaksValid, "NoPeaks", "spec.demand is not set and no PeakSchedule lifts this Forecast, so there is nothing to plan with: "+
			"name it in spec.forecastRefs of a PeakSchedule of namespace %s or label it for one's spec.forecastSelector, or set spec.demand or spec.bounds.min", e.fc.Namespace)
		return nil
	}
	if reason, message := e.withoutEffect(); reason != "" {
		e.v.fail(v1alpha1.ConditionPeaksValid, reason, "%s", message)
		return nil
	}
	e.v.ok(v1alpha1.ConditionPeaksValid, "Valid", "every declared peak can be evaluated")
	return nil
}

// nothingAsked says that neither demand nor a peak was declared: a selector that misses, say, or a PeakSchedule that is still to come.
// A lower bound is something to serve.
func (e *evaluation) nothingAsked() bool {
	return !e.set.HasDemand && len(e.peaks.Schedules) == 0 && !(e.set.Min > 0)
}

// withoutEffect names the declared windows that need something which this Forecast does not have.
func (e *evaluation) withoutEffect() (reason, message string) {
	var messages []string
	for _, s := range e.peaks.Schedules {
		capacity, forecast := s.Needs(e.now)
		if len(forecast) > 0 && !e.set.HasDemand {
			reason = "NothingToMultiply"
			messages = append(messages, fmt.Sprintf("PeakSchedule %s: %s multiply the forecast, and without spec.demand there is none: declare atLeast or replicas there, or set spec.demand here",
				s.Name(), strings.Join(forecast, ", ")))
		}
		if len(capacity) > 0 && e.capacity <= 0 {
			reason = "CapacityUnknown"
			messages = append(messages, fmt.Sprintf("PeakSchedule %s: %s ask for replicas, and what one replica serves is not known: set spec.capacityPerReplica here, or averageValue in the HPA",
				s.Name(), strings.Join(capacity, ", ")))
		}
	}
	return reason, strings.Join(messages, "; ")
}

func (e *evaluation) nextPeak() *v1alpha1.PeakOccurrence {
	var best *scheduler.Occurrence
	for _, s := range e.peaks.Schedules {
		for _, o := range append(s.Active(e.now), s.Next(e.now, 1)...) {
			if best == nil || o.Start.Before(best.Start) {
				best = &o
			}
		}
	}
	if best == nil {
		return nil
	}
	return &v1alpha1.PeakOccurrence{Schedule: best.Schedule, Window: best.Window, Start: metaTime(best.Start), End: metaTime(best.End)}
}
