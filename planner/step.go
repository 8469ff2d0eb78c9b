package planner

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/overflow"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/publish"
	"headstart.dev/headstart/planner/spend"
	"headstart.dev/headstart/scheduler"
)

// StepInput is everything that one step depends on, except for the [State] of the previous step.
type StepInput struct {
	// Now is the time of the step. It becomes the plan's ComputedAt.
	Now time.Time
	// Settings of the Forecast.
	Settings Settings
	// Series is the demand that is known at Now; nil when none was read yet.
	Series *forecaster.Series
	// Observed is the newest value of Series. When it is nil, the step looks for it.
	Observed *Observation
	// Peaks are the declared peaks.
	Peaks Peaks
	// Calendars have special days, whose demand the forecast learns.
	Calendars Calendars
	// Compare are more contracts to forecast for; see [forecaster.Options]. Serving has none.
	Compare []forecaster.Contract
	// Lead is the time from the request for a replica until it serves.
	Lead time.Duration
	// Capacity is the demand that one replica serves; 0 when it is not known.
	Capacity float64
	// Limits are what bounds the service in its cluster, beside the autoscaler's maximum.
	Limits overflow.Limits
	// Beyond is what does not fit into another cluster and is planned for here; nil when there is
	// nothing, or it is not known.
	Beyond *Beyond
	// MaxObservedAge is the largest age of an observation that may be served.
	// [plan.DefaultMaxObservedAge] is used when it is 0.
	MaxObservedAge time.Duration
}

func (in StepInput) leadSteps() int { return LeadSteps(in.Lead, in.Settings.Step) }

// State is what one step passes on to the next step. After a restart it is restored: the model from
// the series, and everything else from the Forecast's status.
type State struct {
	Model Model
	// Published is the plan in status; nil when there is none.
	Published *plan.Plan
	// Publisher decides whether a plan is worth a write. The caller calls its Wrote after each write.
	Publisher *publish.Publisher
	// Spend counts what the plans ask for, where Settings.AtMost bounds that; nil bounds nothing.
	// Each step counts in it.
	Spend *spend.Ledger
}

// Outcome says whether a step made a plan, and if not, why.
type Outcome int

// The outcomes of a step.
const (
	// Planned means that there is a plan.
	Planned Outcome = iota
	// Paused means that the Forecast's mode is Paused.
	Paused
	// NoForecast means that there is neither a forecast nor a PeakSchedule to make a plan from.
	NoForecast
	// ForecastKept means that there is no forecast now, and that the published plan stays. That plan
	// is made from a forecast and does not end soon. A plan from the peaks alone would be worse.
	ForecastKept
	// NothingDeclared means that the spec has no demand, no peak and no lower bound.
	NothingDeclared
	// OverflowUnknown means that the overflow of another cluster is all that the spec asks for, and
	// that it was never read.
	OverflowUnknown
	// OverflowEnded means that nothing is known any more of the overflow of another cluster.
	OverflowEnded
	// BuildFailed means that no plan can be made from these settings; see StepOutput.Err.
	BuildFailed
)

// StepOutput is the result of one step.
type StepOutput struct {
	Outcome Outcome
	// Plan is the new plan; nil unless Outcome is Planned.
	Plan *plan.Plan
	// Notes are about the plan, for the user. Conditions show them.
	Notes Notes
	// Overflow is the part of the plan that does not fit into the cluster; nil when that is not known.
	Overflow *overflow.Timeline
	// Err says why Outcome is BuildFailed.
	Err error
	// Latest is the newest forecast; nil when there is none.
	Latest *forecaster.Outlook
	// Outlook is the forecast that the plan is made from. It is Latest, or nil when Latest ended
	// before Now.
	Outlook *forecaster.Outlook
	// Observed is the newest known demand.
	Observed Observation
	// Publish says whether the plan is worth a write to status, and why.
	Publish publish.Decision
	// Spend is what the plans of the last week asked for; nil where nothing bounds that, where no
	// plan was made, and without a capacity.
	Spend *spend.Figures

	serve plan.ServeInput
}

// Step makes the plan for in.Now. The result depends on the arguments alone, so a replay makes the
// same plans as the server did. Step may change what state refers to. Do not use state after the
// call, but the returned State.
//
// Step writes nothing. After a write, the caller calls Wrote of the returned State's Publisher, and
// sets Published.
func Step(in StepInput, state State) (StepOutput, State) {
	var outlook *forecaster.Outlook
	if in.Settings.Mode != v1alpha1.ForecastPaused {
		outlook = state.Model.Advance(in)
	}
	return Decide(in, outlook, state), state
}

// Decide is the second half of a step: it makes the plan from a given forecast, and counts it in
// state.Spend. A replay makes its forecasts in parallel, and then decides one step after the other.
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
		out.Outlook = nil // the series ended a horizon ago, so the forecast ended before Now
	}
	if out.Outcome = in.obstacle(out.Outlook, state.Published); out.Outcome != Planned {
		return out
	}
	bounded, whole := in.guard(state.Spend), in.planInput(out)
	built, notes, err := build(bounded.lower(whole))
	if err == nil {
		out.Spend, err = bounded.count(in, whole, built, out.Observed)
	}
	if err != nil {
		out.Outcome, out.Err = BuildFailed, err
		return out
	}
	limits := in.Limits
	limits.MaxReplicas = set.Scaling.MaxReplicas
	if out.Overflow = overflow.Split(built, in.Capacity, limits); out.Overflow != nil {
		built.Segments[0].Most = out.Overflow.Most
	}
	built.Segments[0].Values = in.releaseEarly(built.Segments[0].Values)
	out.Plan, out.Notes = &built, notes
	if state.Publisher != nil {
		out.Publish = state.Publisher.Decide(in.Now, state.Published, built, in.Lead)
	}
	return out
}

// Serve returns the value that the metric serves from plan p at the time of the step.
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

// obstacle returns why no plan can be made, or Planned if one can be made.
func (in StepInput) obstacle(outlook *forecaster.Outlook, published *plan.Plan) Outcome {
	set := in.Settings
	switch {
	case set.Mode == v1alpha1.ForecastPaused:
		return Paused
	case in.Beyond.ended(in.Now):
		return OverflowEnded
	case outlook != nil:
		return Planned
	case set.HasDemand && len(in.Peaks.Schedules) == 0 && in.Beyond == nil:
		return NoForecast
	case set.HasDemand && in.forecastLasts(published):
		return ForecastKept
	case in.lacksOverflow():
		return OverflowUnknown
	case set.DeclaresNothing(in.Peaks) && (published == nil || in.Peaks.Invalid):
		// A plan of 0 would scale the HPA to its minimum. That is right when the peaks of the
		// published plan were removed. It is wrong when they cannot be evaluated any more.
		return NothingDeclared
	}
	return Planned
}

// lacksOverflow reports whether the overflow of another cluster is all that the spec asks for, and not
// known.
func (in StepInput) lacksOverflow() bool {
	set := in.Settings
	return set.OverflowOf != nil && in.Beyond == nil && !set.HasDemand && len(in.Peaks.Schedules) == 0
}

// forecastLasts reports whether the published plan is made from a forecast and does not end within
// two steps. Then a plan from the peaks alone does not replace it. This happens, for example, after
// a restart during an outage of Prometheus.
func (in StepInput) forecastLasts(published *plan.Plan) bool {
	return BasisOf(published) == BasisForecast && in.Now.Add(2*in.Settings.Step).Before(published.End())
}

// planInput returns the input for the build of the plan.
func (in StepInput) planInput(out StepOutput) buildInput {
	set, lead := in.Settings, in.leadSteps()
	start := FloorTo(in.Now, set.Step)
	if out.Outlook != nil {
		start = out.Outlook.Start
	}
	var beyond []float64
	if in.Beyond != nil {
		beyond = in.Beyond.values(start, set.Step, set.Steps(), in.Lead)
	}
	return buildInput{
		Beyond: beyond,
		Now:    in.Now, Start: start, Step: set.Step, Horizon: set.Steps(), Lead: lead,
		Outlook: out.Outlook, Peaks: in.Peaks.timeline(start, set.Step, set.Steps()+lead+1), PeaksAlone: !set.HasDemand,
		PeakBase: in.peakBase(out.Outlook, start), Observed: out.Observed.Value,
		Capacity: in.Capacity, Ramp: set.Scaling.Ramp, MaxReplicas: set.Scaling.MaxReplicas, Min: set.Min, Max: set.Max,
	}
}

// peakBase returns the demand just before the active multiply and add windows began. It is NaN when
// no such window is active. While the forecast has no skill, nothing else says what demand would be
// without these windows. So their factors and amounts apply to this demand.
func (in StepInput) peakBase(outlook *forecaster.Outlook, start time.Time) float64 {
	if in.Series == nil || outlook != nil && outlook.Skilled {
		return math.NaN()
	}
	base := func(s forecaster.Series) float64 {
		return scheduler.Undisturbed(in.Peaks.Schedules, s.Start, s.Step, s.Values, start)
	}
	if math.IsNaN(base(*in.Series)) {
		return math.NaN() // no window is active: save the search for absurd values
	}
	return base(withoutAbsurd(*in.Series))
}

// Basis is what a plan is made from.
type Basis int

// What a plan is made from.
const (
	// BasisNone means that there is no plan.
	BasisNone Basis = iota
	// BasisPeaks means that the plan is made without a forecast. It has no value outside of its
	// peaks.
	BasisPeaks
	// BasisForecast means that the plan has a value for every step.
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

// FloorTo returns the start of the step that t lies in. Steps begin at multiples of their length
// since the Unix epoch, as those of a series do.
func FloorTo(t time.Time, step time.Duration) time.Time {
	n := t.UnixNano()
	r := n % int64(step)
	if r < 0 {
		r += int64(step)
	}
	return time.Unix(0, n-r).UTC()
}
