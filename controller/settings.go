package controller

import (
	"errors"
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

const (
	defaultResolution = time.Minute
	defaultHistory    = 28 * 24 * time.Hour
	defaultSettle     = 30 * time.Second
	defaultHorizon    = 24 * time.Hour
	defaultWarmUp     = 5 * time.Minute
	defaultMaxLead    = 30 * time.Minute
	defaultPercentile = 90

	// maxHistoryPoints bounds memory and the time of a fit: 28 days at one minute, three times over.
	maxHistoryPoints = 3 * 40320
	// maxHorizonPoints bounds a plan: a week at one minute.
	maxHorizonPoints = 10080
	// maxLead bounds each part of a lead: what a plan takes in memory grows with it, and one Forecast must not starve the others.
	maxLead = 24 * time.Hour
)

// settings is a ForecastSpec with every string parsed and every default applied.
type settings struct {
	hasDemand bool
	query     string
	source    string

	step, history, settle, horizon time.Duration

	location  *time.Location
	calendars []string
	periods   []time.Duration
	contract  forecaster.Contract

	capacity float64 // 0: read it from the HPA
	lead     leadSettings
	min, max float64 // max +Inf when there is none

	mode   v1alpha1.ForecastMode
	expiry v1alpha1.ExpiryPolicy
	static float64
}

// readSpan is how much of the series is read: what a fit looks back on, and what may lie between the last fit and now. So a leader that
// starts anew fits on the same steps as one that has been there all along, and as a replay.
func (s settings) readSpan() time.Duration { return s.history + forecaster.FitInterval(s.step) }

type leadSettings struct {
	fixed      bool
	value      time.Duration // of mode Fixed
	configured bool          // a default was given
	fallback   time.Duration
	max        time.Duration
	percentile float64
}

// parseSpec reads a spec. The API server refuses most of what is refused here; objects that were stored under an older schema,
// and unknown time zones, come this far.
func parseSpec(spec *v1alpha1.ForecastSpec) (settings, error) {
	p := specParser{}
	s := settings{
		horizon: p.duration("spec.horizon", spec.Horizon, defaultHorizon),
		step:    defaultResolution, history: defaultHistory, settle: defaultSettle,
		location:  p.location("spec.seasonality.timeZone", spec.Seasonality.TimeZone),
		calendars: spec.Seasonality.Calendars,
		contract:  p.contract(spec.ProvisionFor),
		lead:      p.lead(spec.LeadTime),
		capacity:  p.quantity("spec.capacityPerReplica", spec.CapacityPerReplica, 0),
		min:       p.quantity("spec.bounds.min", spec.Bounds.Min, 0),
		max:       p.quantity("spec.bounds.max", spec.Bounds.Max, math.Inf(1)),
		mode:      spec.Mode,
		expiry:    spec.OnPlanExpiry.Policy,
		static:    p.quantity("spec.onPlanExpiry.value", spec.OnPlanExpiry.Value, 0),
	}
	if s.mode == "" {
		s.mode = v1alpha1.ForecastActive
	}
	if s.expiry == "" {
		s.expiry = v1alpha1.ExpiryError
	}
	for _, d := range spec.Seasonality.Periods {
		s.periods = append(s.periods, p.duration("spec.seasonality.periods", d, 0))
	}
	if d := spec.Demand; d != nil {
		s.hasDemand, s.query, s.source = true, d.Prometheus.Query, d.Prometheus.Source
		if s.source == "" {
			s.source = "default"
		}
		s.step = p.duration("spec.demand.resolution", d.Resolution, defaultResolution)
		s.history = p.duration("spec.demand.history", d.History, defaultHistory)
		s.settle = p.duration("spec.demand.settle", d.Settle, defaultSettle)
	}
	p.relations(s)
	return s, errors.Join(p.errs...)
}

// ServedSettings is a [values.ParseFunc]: it reads from a spec what serving needs.
func ServedSettings(spec *v1alpha1.ForecastSpec) (values.Settings, error) {
	set, err := parseSpec(spec)
	served := values.Settings{Mode: set.mode, Expiry: set.expiry, Static: set.static, Min: set.min}
	if set.hasDemand {
		served.Demand = &values.Query{Expr: set.query, Source: set.source, Settle: set.settle}
	}
	return served, err
}

// specParser collects what is wrong, so that a user sees all of it at once.
type specParser struct{ errs []error }

func (p *specParser) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

func (p *specParser) duration(field string, d v1alpha1.Duration, fallback time.Duration) time.Duration {
	if d == "" {
		return fallback
	}
	parsed, err := d.Parse()
	if err != nil {
		p.fail("%s: %w", field, err)
		return fallback
	}
	return parsed
}

func (p *specParser) quantity(field string, q *resource.Quantity, fallback float64) float64 {
	if q == nil {
		return fallback
	}
	f := q.AsApproximateFloat64()
	if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
		p.fail("%s: %s must be a finite number, 0 or above", field, q.String())
		return fallback
	}
	return f
}

func (p *specParser) location(field string, zone v1alpha1.TimeZone) *time.Location {
	if zone == "" {
		return time.UTC
	}
	loc, err := zone.Location()
	if err != nil {
		p.fail("%s: %w", field, err)
		return time.UTC
	}
	return loc
}

func (p *specParser) contract(want v1alpha1.ProvisionFor) forecaster.Contract {
	const field = "spec.provisionFor"
	switch {
	case want.ServiceLevel != nil && want.ShortageCost != nil:
		p.fail("%s: give serviceLevel or shortageCost, not both", field)
	case want.ServiceLevel != nil:
		level, err := want.ServiceLevel.Parse()
		if err != nil || level < 0.5 || level > 0.9999 {
			p.fail("%s.serviceLevel: %q must be from 0.5 to 0.9999, such as \"0.99\"", field, string(*want.ServiceLevel))
		}
		return forecaster.Contract{ServiceLevel: level}
	case want.ShortageCost != nil:
		cost, err := want.ShortageCost.Parse()
		if err != nil || cost <= 1 || cost > 10000 {
			p.fail("%s.shortageCost: %q must be above 1 and at most 10000, such as \"20\"", field, string(*want.ShortageCost))
		}
		return forecaster.Contract{ShortageCost: cost}
	default:
		p.fail("%s: give serviceLevel (such as \"0.99\") or shortageCost (such as \"20\")", field)
	}
	return forecaster.Contract{}
}

func (p *specParser) lead(want v1alpha1.LeadTime) leadSettings {
	l := leadSettings{
		fixed:      want.Mode == v1alpha1.LeadTimeFixed,
		max:        p.duration("spec.leadTime.max", want.Max, defaultMaxLead),
		fallback:   defaultWarmUp,
		percentile: defaultPercentile,
	}
	if want.Percentile != 0 {
		l.percentile = float64(want.Percentile)
	}
	if want.Default != nil {
		l.configured, l.fallback = true, p.duration("spec.leadTime.default", *want.Default, defaultWarmUp)
	}
	switch {
	case l.fixed && want.Fixed == nil:
		p.fail("spec.leadTime.fixed: mode Fixed needs a duration, such as 10m")
	case l.fixed:
		l.value = p.duration("spec.leadTime.fixed", *want.Fixed, defaultWarmUp)
	}
	return l
}

// relations checks what joins two fields.
func (p *specParser) relations(s settings) {
	switch {
	case s.step < time.Second:
		p.fail("spec.demand.resolution: %s must be at least 1s", s.step)
		return
	case s.history < s.step:
		p.fail("spec.demand.history: %s must be longer than spec.demand.resolution", s.history)
	case s.history/s.step > maxHistoryPoints:
		p.fail("spec.demand.history: %s at a resolution of %s is %d points, more than %d: use a coarser resolution or a shorter history", s.history, s.step, s.history/s.step, maxHistoryPoints)
	}
	switch {
	case s.horizon < s.step:
		p.fail("spec.horizon: %s must be at least one step of %s", s.horizon, s.step)
	case s.horizon/s.step > maxHorizonPoints:
		p.fail("spec.horizon: %s at a resolution of %s is %d steps, more than %d: shorten it", s.horizon, s.step, s.horizon/s.step, maxHorizonPoints)
	}
	p.leadBounds(s)
	if s.min > s.max {
		p.fail("spec.bounds: min %v is above max %v", s.min, s.max)
	}
	for _, d := range s.periods {
		if d < 2*s.step {
			p.fail("spec.seasonality.periods: %s must be at least two steps of %s", d, s.step)
		}
	}
}

// leadBounds holds the lead, and what is waited for a step to fill up, to what can be planned for.
func (p *specParser) leadBounds(s settings) {
	ok := true
	for _, part := range []struct {
		field string
		d     time.Duration
	}{{"leadTime.fixed", s.lead.value}, {"leadTime.default", s.lead.fallback}, {"leadTime.max", s.lead.max}, {"demand.settle", s.settle}} {
		if part.d > maxLead {
			p.fail("spec.%s: %s is more than %s: shorten it", part.field, v1alpha1.FormatDuration(part.d), v1alpha1.FormatDuration(maxLead))
			ok = false
		}
	}
	longest := s.lead.max + s.settle
	if s.lead.fixed {
		longest = s.lead.value
	}
	if ok && longest/s.step > maxHorizonPoints {
		p.fail("spec.leadTime: a lead of up to %s at a resolution of %s is %d steps, more than %d: use a coarser spec.demand.resolution, or a shorter spec.leadTime.max or fixed",
			v1alpha1.FormatDuration(longest), v1alpha1.FormatDuration(s.step), longest/s.step, maxHorizonPoints)
	}
}
