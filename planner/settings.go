package planner

import (
	"errors"
	"hash/fnv"
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/terms"
)

// The defaults of a ForecastSpec.
const (
	DefaultResolution = time.Minute
	DefaultHistory    = 28 * 24 * time.Hour
	DefaultSettle     = 30 * time.Second
	DefaultHorizon    = 24 * time.Hour
	DefaultWarmUp     = 5 * time.Minute
	DefaultMaxLead    = 30 * time.Minute
	DefaultPercentile = 90
	// DefaultSource is the name of the Prometheus source that is read when a spec names none.
	DefaultSource = v1alpha1.DefaultSource
)

// Settings is everything that a Forecast and the autoscalers that read it say about planning. All
// texts are parsed, all values are checked, and all defaults are applied. Nothing else in
// Headstart reads a ForecastSpec for planning.
type Settings struct {
	// HasDemand reports whether spec.demand is set. Without it the declared peaks are the plan.
	HasDemand bool
	// Query and Source say which series to read.
	Query, Source string

	// Step is the resolution of the series and of the plan.
	Step time.Duration
	// History is how much of the series a fit uses.
	History time.Duration
	// Settle is the newest part of the series, which is still filling up and is not read yet.
	Settle time.Duration
	// Horizon is how far a plan reaches.
	Horizon time.Duration

	// FitOffset moves the instants of fits, so that Forecasts are not all fitted at once. It follows
	// from the name.
	FitOffset time.Duration

	// Location is the zone whose wall clock the daily cycle follows.
	Location *time.Location
	// Calendars are the names of the Calendars whose days the forecast learns.
	Calendars []string
	// Periods are the seasons of the series; they are detected when there are none.
	Periods []time.Duration
	// Contract is the service level or the shortage cost.
	Contract forecaster.Contract
	// AtMost bounds what the service level may cost, over a reactive policy; 0 is no bound.
	AtMost float64

	// SpecCapacity is spec.capacityPerReplica or spec.capacity.default; 0 when neither is set.
	SpecCapacity float64
	// Learn says how the capacity is learned; nil where it is not.
	Learn *LearnSettings
	// Unit is the name of the unit of demand; empty when it has none.
	Unit string
	// Priority says which of several services that are short together keeps its places.
	Priority int32
	// OverflowOf is the Forecast of another cluster whose overflow is planned for; nil without one.
	OverflowOf *OverflowOf

	// InReplicas reports whether the metric is served in replicas, and not in demand.
	InReplicas bool
	// Lead says how the lead is known.
	Lead LeadSettings
	// Min and Max bound the plan. Max is +Inf when there is no upper bound.
	Min, Max float64

	// Mode says whether the plan is served.
	Mode v1alpha1.ForecastMode
	// Expiry says what is served after the end of the plan, and Static is the value of its policy
	// Static.
	Expiry v1alpha1.ExpiryPolicy
	Static float64

	// Scaling is what the autoscalers that read the Forecast say.
	Scaling Scaling
}

// OverflowOf names a Forecast of another cluster.
type OverflowOf struct{ Cluster, Namespace, Name string }

// LeadSettings say how the lead is known.
type LeadSettings struct {
	// Fixed is the lead of mode Fixed, with the delay of the control loop; nil in mode Learned.
	Fixed *time.Duration
	// Default is the warm-up that is assumed until enough starts were seen. Configured reports
	// whether the user chose it.
	Default    time.Duration
	Configured bool
	// Max is the upper bound of a learned warm-up.
	Max time.Duration
	// Percentile of the observed warm-ups that the lead covers, from 1 to 99.
	Percentile float64
}

// NewSettings reads a Forecast and the autoscalers that may read it. Those that read another
// Forecast do not matter. sync is the period of the cluster's HPA controller. The error names every
// field that is wrong.
func NewSettings(fc *v1alpha1.Forecast, all Autoscalers, sync time.Duration) (Settings, error) {
	s, err := Parse(fc)
	s.Scaling = ReadAutoscalers(all, fc, sync)
	return s, err
}

// Parse reads a Forecast without the autoscalers that read it. Learned weights of the terms of its
// demand are those in its status.
func Parse(fc *v1alpha1.Forecast) (Settings, error) {
	s, err := ParseSpec(terms.InUse(fc))
	s.Learn.setDefaults(fc)
	h := fnv.New64a()
	_, _ = h.Write([]byte(fc.Namespace + "/" + fc.Name))
	seconds := max(1, uint64(forecaster.FitInterval(s.Step)/time.Second)) //nolint:gosec // above 0
	s.FitOffset = time.Duration(h.Sum64()%seconds) * time.Second          //nolint:gosec // below a week
	return s, err
}

// ReadSpan is how much of the series to read: what a fit uses, and the time between two fits. So
// a process that starts now fits at the same instants and on the same steps as one that has run for
// days, and as a replay. A young series is fitted more often, and looks young when less than four
// fit intervals of it are read, so at least these are.
func (s Settings) ReadSpan() time.Duration {
	every := forecaster.FitInterval(s.Step)
	return max(s.History, 4*every) + every
}

// DeclaresNothing reports whether the spec has no demand, no overflow, no peak and no lower bound. For example,
// a selector may match no PeakSchedule, or the PeakSchedule does not exist yet.
func (s Settings) DeclaresNothing(peaks Peaks) bool {
	return !s.HasDemand && s.OverflowOf == nil && len(peaks.Schedules) == 0 && !(s.Min > 0)
}

// Steps is the number of steps of a plan.
func (s Settings) Steps() int { return int(s.Horizon / s.Step) }

// LeadSteps is how many steps a lead takes, rounded up: a replica requested now serves that many
// steps later.
func LeadSteps(lead, step time.Duration) int {
	return int(math.Ceil(float64(lead)/float64(step) - 1e-9))
}

// ParseSpec reads a spec alone and applies the defaults: all but what follows from the name. The API
// server refuses most of what is refused here. Objects that were stored under an older schema, and
// unknown time zones, come this far.
func ParseSpec(spec *v1alpha1.ForecastSpec) (Settings, error) {
	p := specParser{}
	s := Settings{
		Horizon: p.duration("spec.horizon", spec.Horizon, DefaultHorizon),
		Step:    DefaultResolution, History: DefaultHistory, Settle: DefaultSettle,
		Location:     p.location("spec.seasonality.timeZone", spec.Seasonality.TimeZone),
		Calendars:    spec.Seasonality.Calendars,
		Contract:     p.contract(spec.ProvisionFor),
		Lead:         p.lead(spec.LeadTime),
		SpecCapacity: p.specCapacity(spec),
		InReplicas:   spec.Serve.Unit == v1alpha1.ServeReplicas,
		Min:          p.quantity("spec.bounds.min", spec.Bounds.Min, 0),
		Max:          p.quantity("spec.bounds.max", spec.Bounds.Max, math.Inf(1)),
		Mode:         spec.Mode,
		Expiry:       spec.OnPlanExpiry.Policy,
		Static:       p.quantity("spec.onPlanExpiry.value", spec.OnPlanExpiry.Value, 0),
		Unit:         spec.Unit, Priority: spec.Priority, OverflowOf: p.overflowOf(spec.OverflowOf),
	}
	if s.Mode == "" {
		s.Mode = v1alpha1.ForecastActive
	}
	if s.Expiry == "" {
		s.Expiry = v1alpha1.ExpiryError
	}
	for _, d := range spec.Seasonality.Periods {
		s.Periods = append(s.Periods, p.duration("spec.seasonality.periods", d, 0))
	}
	if d := spec.Demand; d != nil {
		s.HasDemand, s.Query, s.Source = true, p.demandQuery(d), d.SourceName()
		s.Step = p.duration("spec.demand.resolution", d.Resolution, DefaultResolution)
		s.History = p.duration("spec.demand.history", d.History, DefaultHistory)
		s.Settle = p.duration("spec.demand.settle", d.Settle, DefaultSettle)
	}
	if err := terms.Check(spec); err != nil {
		p.errs = append(p.errs, err)
	}
	s.Learn, s.AtMost = p.learn(spec, s), p.atMost(spec, s.Contract)
	p.relations(s)
	return s, errors.Join(p.errs...)
}
