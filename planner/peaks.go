package planner

import (
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler"
)

// Peaks are the declared peaks of one Forecast.
type Peaks struct {
	// Schedules are the PeakSchedules that can be evaluated.
	Schedules []*scheduler.Schedule
	// Version changes whenever one of the schedules does.
	Version string
	// Invalid reports whether a PeakSchedule of the Forecast was left out, because it cannot be
	// evaluated.
	Invalid bool

	prepared *preparedPeaks
}

// preparedPeaks are results that were computed once for a whole series.
type preparedPeaks struct {
	start    time.Time
	step     time.Duration
	baseline []float64
	timeline []scheduler.Demand
}

// Prepare computes once what a replay needs at every step: the baseline of the whole series, and
// the timeline of the series and of ahead more steps. It changes no result.
func (p Peaks) Prepare(s forecaster.Series, ahead int) Peaks {
	if len(p.Schedules) == 0 {
		return p
	}
	p.prepared = &preparedPeaks{
		start: s.Start, step: s.Step,
		baseline: scheduler.Baseline(p.Schedules, s.Start, s.Step, s.Values),
		timeline: scheduler.Timeline(p.Schedules, s.Start, s.Step, len(s.Values)+ahead),
	}
	return p
}

// index returns the index of the prepared step that begins at start. It reports whether n steps
// from there on are prepared.
func (c *preparedPeaks) index(start time.Time, step time.Duration, n, limit int) (int, bool) {
	if c == nil || step != c.step || start.Before(c.start) {
		return 0, false
	}
	since := start.Sub(c.start)
	i := int(since / step)
	return i, since%step == 0 && i+n <= limit
}

// Baseline is the demand as it would have been without the declared peaks. The models learn from
// it. See [scheduler.Baseline].
func (p Peaks) Baseline(s forecaster.Series) forecaster.Series {
	if len(p.Schedules) == 0 {
		return s
	}
	if c := p.prepared; c != nil {
		if i, ok := c.index(s.Start, s.Step, len(s.Values), len(c.baseline)); ok {
			s.Values = c.baseline[i : i+len(s.Values)]
			return s
		}
	}
	s.Values = scheduler.Baseline(p.Schedules, s.Start, s.Step, s.Values)
	return s
}

// timeline is what the schedules declare for n steps; nil without schedules.
func (p Peaks) timeline(start time.Time, step time.Duration, n int) []scheduler.Demand {
	if len(p.Schedules) == 0 {
		return nil
	}
	if c := p.prepared; c != nil {
		if i, ok := c.index(start, step, n, len(c.timeline)); ok {
			return c.timeline[i : i+n]
		}
	}
	return scheduler.Timeline(p.Schedules, start, step, n)
}
