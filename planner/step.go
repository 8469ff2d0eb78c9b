package planner

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

// StepInput is everything that one step depends on, except the state that the step before left.
type StepInput struct {
	// Now is when the step is made. It becomes the plan's ComputedAt.
	Now time.Time
	// Settings of the Forecast.
	Settings Settings
	// Series is the demand that is known at Now; nil when none was read yet.
	Series *forecaster.Series
	// Observed is the newest value of Series. When it is nil, the step looks for it.
	Observed *Observation
	// Peaks are the declared peaks.
	Peaks Peaks
	// Calendars whose days the forecast learns.
	Calendars Calendars
	// Lead is the time from "requested" to "serving".
	Lead time.Duration
	// Capacity is the demand that one replica serves; 0 when it is not known.
	Capacity float64
	// MaxObservedAge is how old an observation may be that is served;
	// [plan.DefaultMaxObservedAge] when it is 0.
	MaxObservedAge time.Duration
}

func (in StepInput) leadSteps() int { return LeadSteps(in.Lead, in.Settings.Step) }

// State is what one step leaves to the next one. It can be restored after a restart: the model from
// the series, everything else from the Forecast's status.
type State struct {
	Model Model
	// Published is the plan in status; nil when there is none.
	Published *plan.Plan
	// Publisher knows the times of past writes. A caller that writes a plan calls its Wrote.
	Publisher *Publisher
}

// Outcome says whether a step made a plan, and if not, why.
type Outcome int

// The outcomes of a step.
const (
	// Planned means that there is a plan.
	Planned Outcome = iota
	// Paused means that the Forecast's mode is Paused.
	Paused
	// NoForecast means that there is no forecast, and no peak to plan with instead.
	NoForecast
	// ForecastKept means that there is no forecast now. The published plan is made from a forecast
	// and does not end soon, so the peaks alone do not replace it.
	ForecastKept
	// NothingDeclared means that neither demand, nor a peak, nor a lower bound is declared.
	NothingDeclared
	// BuildFailed means that the plan cannot be made from these settings; see StepOutput.Err.
	BuildFailed
)

// StepOutput is the result of one step.
type StepOutput struct {
	Outcome Outcome
	// Plan is the new plan; nil unless Outcome is Planned.
	Plan *plan.Plan
	// Notes are what a user should know about the plan.
	Notes Notes
	// Err says why Outcome is BuildFailed.
	Err error
	// Latest is the newest forecast; nil where there is none.
	Latest *forecaster.Outlook
	// Outlook is the forecast that the plan is made from: Latest while it covers Now, nil
	// afterwards.
	Outlook *forecaster.Outlook
	// Observed is the newest known demand.
	Observed Observation
	// Publish says whether the plan is worth a write.
	Publish Decision

	serve plan.ServeInput
}

// Step makes the plan of one instant. It is pure: the result follows from its arguments alone, so
// a replay plans what serving planned. The state belongs to the step afterwards: use the returned
// one.
//
// A step does not write. A caller that writes the plan calls Wrote of the returned state's
// Publisher, and replaces its Published.
func Step(in StepInput, state State) (StepOutput, State) {
	var outlook *forecaster.Outlook
	if in.Settings.Mode != v1alpha1.ForecastPaused {
		outlook = state.Model.Advance(in)
	}
	return Decide(in, outlook, state), state
}

// Decide is the second half of a step, from the forecast on. A replay makes its forecasts side by
// side and decides one step after the other.
func Decide(in StepInput, outlook *forecaster.Outlook, state State) StepOutput {
	set := in.Settings
	out := StepOutput{Latest: outlook, Outlook: outlook, Observed: Observation{Value: math.NaN()}}
	if set.Mode != v1alpha1.ForecastPaused {
		out.Observed = in.observed()
	}
	out.serve = plan.ServeInput{
		Mode: set.Mode, Expiry: set.Expiry, Static: set.Static, Min: set.Min,
		Observed: out.Observed.Value, ObservedAt: out.Observed.At, MaxObservedAge: in.MaxObservedAge, Now: in.Now,
	}
	if o := outlook; o != nil && !in.Now.Before(o.Start.Add(time.Duration(set.Steps())*set.Step)) {
		out.Outlook = nil // The series ended a whole horizon ago, so the forecast does not reach now.
	}
	if out.Outcome = in.obstacle(out.Outlook, state.Published); out.Outcome != Planned {
		return out
	}
	built, notes, err := build(in.planInput(out))
	if err != nil {
		out.Outcome, out.Err = BuildFailed, err
		return out
	}
	out.Plan, out.Notes = &built, notes
	if state.Publisher != nil {
		out.Publish = state.Publisher.Decide(in.Now, state.Published, built, in.Lead)
	}
	return out
}

// Serve returns the number that is served from a plan at the instant of the step.
func (o StepOutput) Serve(p *plan.Plan) (plan.Served, error) {
	in := o.serve
	in.Plan = p
	return plan.Serve(in)
}

func (in StepInput) observed() Observation {
	if in.Observed != nil {
		return *in.Observed
	}
	return Newest(in.Series)
}

// obstacle says why no plan can be made; Planned where one can.
func (in StepInput) obstacle(outlook *forecaster.Outlook, published *plan.Plan) Outcome {
	set := in.Settings
	switch {
	case set.Mode == v1alpha1.ForecastPaused:
		return Paused
	case outlook != nil:
		return Planned
	case set.HasDemand && len(in.Peaks.Schedules) == 0:
		return NoForecast
	case set.HasDemand && in.forecastLasts(published):
		return ForecastKept
	case set.DeclaresNothing(in.Peaks) && (published == nil || in.Peaks.Invalid):
		// An HPA that reads 0 goes to its minimum. So a published plan is replaced when its peaks
		// were removed, but not when they cannot be evaluated any more.
		return NothingDeclared
	}
	return Planned
}

// forecastLasts reports whether the published plan is made from a forecast and goes on for at least
// two steps. Then peaks alone do not replace it. This matters after a restart during an outage of
// Prometheus, for example.
func (in StepInput) forecastLasts(published *plan.Plan) bool {
	return BasisOf(published) == BasisForecast && in.Now.Add(2*in.Settings.Step).Before(published.End())
}

// planInput is the input of the plan.
func (in StepInput) planInput(out StepOutput) buildInput {
	set, lead := in.Settings, in.leadSteps()
	start := floorTo(in.Now, set.Step)
	if out.Outlook != nil {
		start = out.Outlook.Start
	}
	return buildInput{
		Now: in.Now, Start: start, Step: set.Step, Horizon: set.Steps(), Lead: lead,
		Outlook: out.Outlook, Peaks: in.Peaks.timeline(start, set.Step, set.Steps()+lead+1), PeaksAlone: !set.HasDemand,
		PeakBase: in.peakBase(out.Outlook, start), Observed: out.Observed.Value,
		Capacity: in.Capacity, Ramp: set.Scaling.Ramp, MaxReplicas: set.Scaling.MaxReplicas, Min: set.Min, Max: set.Max,
	}
}

// peakBase is the demand before the windows began that multiply it or add to it now. They build on
// it while no skilled forecast says what demand would be without them.
func (in StepInput) peakBase(outlook *forecaster.Outlook, start time.Time) float64 {
	if in.Series == nil || outlook != nil && outlook.Skilled {
		return math.NaN()
	}
	base := func(s forecaster.Series) float64 {
		return scheduler.Undisturbed(in.Peaks.Schedules, s.Start, s.Step, s.Values, start)
	}
	if math.IsNaN(base(*in.Series)) {
		return math.NaN() // no window is active, which is known without a look at the whole series
	}
	return base(believed(*in.Series))
}

// Basis is what a plan is made from.
type Basis int

// What a plan is made from.
const (
	// BasisNone means that there is no plan.
	BasisNone Basis = iota
	// BasisPeaks is a plan without a forecast. It has no value outside of its peaks.
	BasisPeaks
	// BasisForecast is a plan that has a value for every step.
	BasisForecast
)

// BasisOf returns what a plan is made from.
func BasisOf(p *plan.Plan) Basis {
	if p == nil {
		return BasisNone
	}
	for _, s := range p.Segments {
		if slices.ContainsFunc(s.Values, math.IsNaN) {
			return BasisPeaks
		}
	}
	return BasisForecast
}

// floorTo returns the start of the step that t lies in. Steps begin at multiples of their length
// since the Unix epoch, as those of a series do.
func floorTo(t time.Time, step time.Duration) time.Time {
	n := t.UnixNano()
	r := n % int64(step)
	if r < 0 {
		r += int64(step)
	}
	return time.Unix(0, n-r).UTC()
}
