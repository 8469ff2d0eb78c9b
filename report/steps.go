package report

import (
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/scheduler"
)

// Steps is the series and its replay, step by step. Charts and CSV files are made from it.
type Steps struct {
	// Start is the start of the first step, and Step the length of a step.
	Start time.Time
	Step  time.Duration
	// From is the index of the first replayed step. The steps before it are history.
	From int
	// Demand has a value for each step of the series. NaN is a gap.
	Demand []float64
	// Served is the demand that Headstart would have served, and Expected the demand that its
	// models expected, for each replayed step. NaN is unknown. Both are nil if the policy headstart
	// was not run.
	Served, Expected []float64
	// Capacity is the demand that one replica serves. Where that is learned, Capacities has it for each
	// replayed step, and Capacity is the configured one.
	Capacity   float64
	Capacities []float64
	// Location is the time zone of the daily cycle. It is never nil.
	Location *time.Location
	// Peaks are the declared peaks.
	Peaks []*scheduler.Schedule
	// Days are the named days of the calendars.
	Days []forecaster.Day
}

// steps collects the Steps of a report.
func (r *Report) steps() Steps {
	s := Steps{
		Start: r.trace.start, Step: r.trace.step, From: r.trace.from, Demand: r.trace.raw, Capacity: r.trace.capacity,
		Location: r.options.location(), Peaks: r.options.Peaks,
	}
	s.Days = r.options.Calendars.Days(s.Location, s.Start, s.End())
	if t := r.trace.track; t != nil {
		s.Capacities = t.Known[r.trace.from:]
	}
	if r.replay != nil {
		s.Served, s.Expected = r.replay.Served, r.replay.Expected
	}
	return s
}

// At returns the start of step i of the series.
func (s Steps) At(i int) time.Time { return s.Start.Add(time.Duration(i) * s.Step) }

// End returns the end of the last step.
func (s Steps) End() time.Time { return s.At(len(s.Demand)) }

// Replayed returns the demand of the replayed steps.
func (s Steps) Replayed() []float64 { return s.Demand[s.From:] }

// CapacityAt returns the demand that one replica serves in a replayed step.
func (s Steps) CapacityAt(i int) float64 {
	if s.Capacities == nil {
		return s.Capacity
	}
	return s.Capacities[i]
}

// CanServe returns the demand that a policy's ready replicas can serve, at each replayed step.
func (s Steps) CanServe(r Result) []float64 {
	out := make([]float64, len(r.Ready))
	for i, n := range r.Ready {
		out[i] = n * s.CapacityAt(i)
	}
	return out
}

// Missing returns the demand that a policy's ready replicas cannot serve, at each replayed step.
// NaN means that the demand is unknown.
func (s Steps) Missing(r Result) []float64 {
	out := s.CanServe(r)
	for i, demand := range s.Replayed() {
		if out[i] = demand - out[i]; out[i] <= shortBy {
			out[i] = 0
		}
	}
	return out
}
