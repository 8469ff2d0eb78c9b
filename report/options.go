package report

import (
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report/learned"
	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/door"
)

const (
	// DefaultShortageCost weighs unserved demand in the figures if the contract is a service level.
	DefaultShortageCost = 20
	// DefaultStabilization is the default scale-down stabilisation window of an HPA.
	DefaultStabilization = 5 * time.Minute
	// DefaultHorizon is the horizon of a plan.
	DefaultHorizon = 24 * time.Hour
)

// Options says what to replay.
type Options struct {
	// Name is the name of the series in the report. It may be empty.
	Name string
	// Series is the demand.
	Series history.Series
	// Row names the row of a step in notes. Nil names it by its time.
	Row func(step int) string
	// Doubts are reasons why the series itself may be wrong, such as an answer in part. They count
	// for the verdict. Notes say what else to know about the series.
	Doubts, Notes []string
	// From is the index of the first replayed step. At least one step before it is needed as
	// history.
	From int
	// Lead is the time from the request of a replica until it serves.
	Lead time.Duration
	// Capacity is the demand that one replica serves.
	Capacity float64
	// Learn lets the capacity be learned, and Capacity counts without evidence. Nil replays Capacity.
	Learn *learned.Evidence
	// Contract is what the served demand must meet.
	Contract forecaster.Contract
	// AtMost bounds what a service level may cost: how many times the replica-hours of a reactive
	// policy the plans of a week may ask for. 0 is no bound.
	AtMost float64
	// MinReplicas and MaxReplicas are those of the HPA. 0 is no limit.
	MinReplicas, MaxReplicas int
	// MinDemand and MaxDemand are the bounds of the plan, as in spec.bounds. A MaxDemand of 0 is no
	// bound.
	MinDemand, MaxDemand float64
	// Stabilization is the scale-down stabilisation window of the HPA.
	Stabilization time.Duration
	// Horizon is the horizon of a plan.
	Horizon time.Duration
	// Refresh says which plan is served.
	Refresh Refresh
	// Ramp says how fast the HPA that reads the plan adds replicas.
	Ramp planner.Ramp
	// History is how much of the series a fit looks back on. 0 is the forecaster's limit.
	History time.Duration
	// Periods are the seasons of the demand. They are detected if there are none.
	Periods []time.Duration
	// Location is the time zone of the daily cycle. Nil is UTC.
	Location *time.Location
	// FitOffset moves the instants of fits, as that of a Forecast does.
	FitOffset time.Duration
	// Calendars are the calendars whose named days the forecast learns.
	Calendars planner.Calendars
	// Peaks are the declared peaks.
	Peaks []*scheduler.Schedule
	// Policies are the policies to compare. None means DefaultPolicies.
	Policies []string
	// HPA is the HPA that a team runs today. Nil stands for one of which nothing is known: see
	// DefaultTarget.
	HPA *HPA
	// Headroom also runs each policy of today with a constant factor on its demand: the one that did
	// best on the last third of the history. A careful team would tune it in this way. Without it,
	// Headstart is compared with the HPA.
	Headroom bool
	// Objective is a share of the demand to serve, such as 0.999. The report then says what each
	// policy pays to serve as much. With 0, it does not.
	Objective float64
	// Sweep are more leads to replay, to show what a faster start is worth. Leads of the same
	// number of steps are replayed once.
	Sweep []time.Duration
	// GPUs is the number of GPUs of one replica. With 0, GPU-hours are left out.
	GPUs float64
	// Price is the price of one GPU-hour, or of one replica-hour if GPUs is 0. With 0, money is
	// left out.
	Price float64
	// Currency is what Price is in, such as EUR. It may be empty.
	Currency string
	// Service is the name in the proposed manifests. "" means "my-service".
	Service string
	// Existing is the Forecast that the proposal changes. Nil proposes a new one.
	Existing *v1alpha1.Forecast
	// Query is the PromQL query in the proposed Forecast. "" means an example for the user to
	// replace.
	Query string
	// Door is how the proposed autoscaler reads the Forecast; "" is an External metric.
	Door door.Door
	// Kubernetes is the version that the proposed autoscaler is for.
	Kubernetes door.Kubernetes
	// Plans is called with the whole plan of each step, before it is published. It may be nil.
	Plans func(plan.Plan)
	// Progress is called from time to time with the number of steps that are done, and of all steps
	// to do. It may be nil.
	Progress func(done, total int)

	// track is how the capacity moved. It is nil where it is not learned.
	track *learned.Track

	// alone leaves out the frontier of Headstart, for which another contract is replayed too.
	alone bool
}

// Refresh says which plan is served at a step.
type Refresh string

const (
	// RefreshStep serves from the plan of the step.
	RefreshStep Refresh = "step"
	// RefreshStatus serves from the plan in the status of a Forecast. That plan is coarser and
	// rounded up, and it is written only if the publisher finds a change worth a write.
	RefreshStatus Refresh = "status"
)

// DefaultOptions returns the defaults. Series, From, Lead, Capacity and Contract must still be set.
func DefaultOptions() Options {
	return Options{
		MinReplicas: 1, Stabilization: DefaultStabilization, Horizon: DefaultHorizon, Refresh: RefreshStep,
		Ramp: planner.ProposedRamp(), Headroom: true,
	}
}

// hpaOfToday returns the HPA that a team runs today, or assumes one.
func (o Options) hpaOfToday() HPA {
	if o.HPA != nil {
		return *o.HPA
	}
	return HPA{
		Target: DefaultTarget, Stabilization: o.Stabilization, MinReplicas: o.MinReplicas, MaxReplicas: o.MaxReplicas,
	}
}

// at returns the start of step i of the series.
func (o Options) at(i int) time.Time {
	return o.Series.Start.Add(time.Duration(i) * o.Series.Step)
}

// stamp returns the start of step i as text.
func (o Options) stamp(i int) string { return o.at(i).UTC().Format(time.RFC3339) }

// location returns the time zone of the daily cycle.
func (o Options) location() *time.Location {
	if o.Location != nil {
		return o.Location
	}
	return time.UTC
}

// shortageCost returns the weight of unserved demand in the figures.
func (o Options) shortageCost() float64 {
	if o.Contract.ShortageCost > 0 {
		return o.Contract.ShortageCost
	}
	return DefaultShortageCost
}
