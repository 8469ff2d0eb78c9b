package report

import (
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler"
)

// Steps is the series and its replay, step by step: what charts and tables are drawn from. The replay begins at step From.
type Steps struct {
	// Start is the beginning of the first step, and Step the length of each.
	Start time.Time
	Step  time.Duration
	// From is the index of the first replayed step.
	From int
	// Demand has one value for each step of the series; NaN is a gap.
	Demand []float64
	// Served is the demand that Headstart would have served, and Expected the demand that its models expected, from From on. NaN is
	// unknown. Both are nil where the policy headstart was not run.
	Served, Expected []float64
	// Capacity is the demand that one replica serves.
	Capacity float64
	// Location is the zone of the daily cycle.
	Location *time.Location
	// Peaks are the declared peaks, and Days the named days.
	Peaks []*scheduler.Schedule
	Days  []forecaster.Day
}

// steps collects what renderings draw.
func (r *Report) steps() Steps {
	s := Steps{
		Start: r.trace.start, Step: r.trace.step, From: r.trace.from, Demand: r.trace.raw, Capacity: r.trace.capacity,
		Location: r.options.location(), Peaks: r.options.Peaks,
	}
	s.Days = r.options.Calendars.Days(s.Location, s.Start, s.End())
	if r.replay != nil {
		s.Served, s.Expected = r.replay.Served, r.replay.Expected
	}
	return s
}

// At is the beginning of step i of the series.
func (s Steps) At(i int) time.Time { return s.Start.Add(time.Duration(i) * s.Step) }

// End is the end of the last step.
func (s Steps) End() time.Time { return s.At(len(s.Demand)) }

// Replayed is the demand of the replayed steps.
func (s Steps) Replayed() []float64 { return s.Demand[s.From:] }

// CanServe is the demand that a policy's ready replicas can serve, at each replayed step.
func (s Steps) CanServe(p Result) []float64 {
	out := make([]float64, len(p.Ready))
	for i, n := range p.Ready {
		out[i] = n * s.Capacity
	}
	return out
}

// Missing is the demand that a policy's ready replicas cannot serve, at each replayed step; NaN where demand is unknown.
func (s Steps) Missing(p Result) []float64 {
	out := s.CanServe(p)
	for i, v := range s.Replayed() {
		if out[i] = v - out[i]; out[i] <= shortBy {
			out[i] = 0
		}
	}
	return out
}
