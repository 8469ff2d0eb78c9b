package planner

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

const (
	// maxHistorySteps bounds memory and the time of a fit: 28 days at one minute, three times.
	maxHistorySteps = 3 * 40320
	// MaxHorizonSteps bounds a plan: a week at one minute.
	MaxHorizonSteps = 10080
	// maxLead bounds each part of a lead. The memory of a plan grows with it, and one Forecast
	// must not starve the others.
	maxLead = 24 * time.Hour
	// maxLeadWork bounds the steps of the longest lead times those of horizon and lead: the time of a
	// plan and of a fit grows with it. It allows a lead of a day and a horizon of a week at one
	// minute.
	maxLeadWork = 25_000_000
	// loopAllowance is the part of a learned lead that is neither warm-up nor settle: one sync of
	// the HPA, and a few seconds. See gpuwarm.ControlLoop.
	loopAllowance = 30 * time.Second
)

// specParser collects the errors, so that a user sees all of them at once.
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

func (p *specParser) overflowOf(of *v1alpha1.OverflowReference) *OverflowOf {
	if of == nil {
		return nil
	}
	namespace, name, found := strings.Cut(of.Forecast, "/")
	if of.Cluster == "" || !found || namespace == "" || name == "" {
		p.fail("spec.overflowOf: name a cluster, and a forecast of it as NAMESPACE/NAME")
		return nil
	}
	return &OverflowOf{Cluster: of.Cluster, Namespace: namespace, Name: name}
}

// ContractFields are the names by which an error refers to the two contracts.
type ContractFields struct{ Both, ServiceLevel, ShortageCost string }

// ParseContract reads exactly one of a service level and a shortage cost; "" means not given.
func ParseContract(serviceLevel, shortageCost v1alpha1.Decimal, f ContractFields) (forecaster.Contract, error) {
	switch {
	case serviceLevel != "" && shortageCost != "":
		return forecaster.Contract{}, fmt.Errorf("%s: give one of %s and %s, not both: "+
			"a promise and a trade-off are different numbers", f.Both, f.ServiceLevel, f.ShortageCost)
	case serviceLevel != "":
		level, err := serviceLevel.Parse()
		if err != nil || level < 0.5 || level > 0.9999 {
			return forecaster.Contract{}, fmt.Errorf(
				"%s: %q must be from 0.5 to 0.9999, such as \"0.99\"", f.ServiceLevel, string(serviceLevel))
		}
		return forecaster.Contract{ServiceLevel: level}, nil
	case shortageCost != "":
		cost, err := shortageCost.Parse()
		if err != nil || cost <= 1 || cost > 10000 {
			return forecaster.Contract{}, fmt.Errorf(
				"%s: %q must be above 1 and at most 10000, such as \"20\"", f.ShortageCost, string(shortageCost))
		}
		return forecaster.Contract{ShortageCost: cost}, nil
	}
	return forecaster.Contract{}, fmt.Errorf(
		"%s: give %s (the probability that a lead window is covered, such as \"0.99\") or %s "+
			"(how many times worse a unit of unserved demand is than serving it, such as \"20\")",
		f.Both, f.ServiceLevel, f.ShortageCost)
}

func (p *specParser) contract(want v1alpha1.ProvisionFor) forecaster.Contract {
	const field = "spec.provisionFor"
	var level, cost v1alpha1.Decimal
	if want.ServiceLevel != nil {
		level = *want.ServiceLevel
	}
	if want.ShortageCost != nil {
		cost = *want.ShortageCost
	}
	contract, err := ParseContract(level, cost, ContractFields{field, field + ".serviceLevel", field + ".shortageCost"})
	if err != nil {
		p.errs = append(p.errs, err)
	}
	return contract
}

func (p *specParser) lead(want v1alpha1.LeadTime) LeadSettings {
	l := LeadSettings{
		Max:        p.duration("spec.leadTime.max", want.Max, DefaultMaxLead),
		Default:    DefaultWarmUp,
		Percentile: DefaultPercentile,
	}
	if l.Max <= 0 {
		p.fail("spec.leadTime.max: %q is not above zero: write for example \"30m\"", want.Max)
	}
	if want.Percentile != 0 {
		l.Percentile = float64(want.Percentile)
	}
	if l.Percentile < 1 || l.Percentile > 99 {
		p.fail("spec.leadTime.percentile: %v must be from 1 to 99", l.Percentile)
	}
	if want.Default != nil {
		l.Configured, l.Default = true, p.duration("spec.leadTime.default", *want.Default, DefaultWarmUp)
		if l.Default <= 0 {
			p.fail("spec.leadTime.default: %q is not above zero: write for example \"5m\"", *want.Default)
		}
	}
	if want.Mode != v1alpha1.LeadTimeFixed {
		return l
	}
	fixed := DefaultWarmUp
	if want.Fixed == nil {
		p.errs = append(p.errs, errors.New("spec.leadTime.fixed: mode Fixed needs a duration, such as 10m"))
	} else {
		fixed = p.duration("spec.leadTime.fixed", *want.Fixed, DefaultWarmUp)
	}
	l.Fixed = &fixed
	return l
}

// relations checks pairs of fields.
func (p *specParser) relations(s Settings) {
	switch {
	case s.Step < time.Second:
		p.fail("spec.demand.resolution: %s must be at least 1s", s.Step)
		return
	case s.History < s.Step:
		p.fail("spec.demand.history: %s must be longer than spec.demand.resolution", s.History)
	case s.History/s.Step > maxHistorySteps:
		p.fail("spec.demand.history: %s at a resolution of %s is %d points, more than %d: "+
			"use a coarser resolution or a shorter history",
			s.History, s.Step, s.History/s.Step, maxHistorySteps)
	}
	switch {
	case s.Horizon < s.Step:
		p.fail("spec.horizon: %s must be at least one step of %s", s.Horizon, s.Step)
	case s.HasDemand && s.Horizon <= s.Settle+s.Step:
		p.fail("spec.horizon: %s must be longer than spec.demand.settle and one step together, %s: "+
			"a plan begins where the series ends",
			s.Horizon, s.Settle+s.Step)
	case s.Horizon/s.Step > MaxHorizonSteps:
		p.fail("spec.horizon: %s at a resolution of %s is %d steps, more than %d: shorten it",
			s.Horizon, s.Step, s.Horizon/s.Step, MaxHorizonSteps)
	}
	p.leadBounds(s)
	if s.InReplicas && !(s.SpecCapacity > 0) {
		p.errs = append(p.errs, errors.New("spec.serve.unit: Replicas needs spec.capacityPerReplica or "+
			"spec.capacity.default, the demand that one replica serves"))
	}
	if s.Min > s.Max {
		p.fail("spec.bounds: min %v is above max %v", s.Min, s.Max)
	}
	for _, d := range s.Periods {
		if d < 2*s.Step {
			p.fail("spec.seasonality.periods: %s must be at least two steps of %s", d, s.Step)
		}
	}
}

// leadBounds checks that the forecaster can cover the longest lead. Settle is part of a lead.
func (p *specParser) leadBounds(s Settings) {
	parts := []struct {
		field string
		d     time.Duration
	}{{"leadTime.default", s.Lead.Default}, {"leadTime.max", s.Lead.Max}, {"demand.settle", s.Settle}}
	longest := s.Lead.Max + s.Settle + loopAllowance
	if s.Lead.Fixed != nil {
		parts[0].field, parts[0].d, longest = "leadTime.fixed", *s.Lead.Fixed, *s.Lead.Fixed
	}
	for _, part := range parts {
		if part.d > maxLead {
			p.fail("spec.%s: %s is more than %s: shorten it",
				part.field, v1alpha1.FormatDuration(part.d), v1alpha1.FormatDuration(maxLead))
			longest = 0 // The sum can overflow.
		}
	}
	n := LeadSteps(longest, s.Step)
	if steps := s.Steps(); n <= forecaster.MaxLead && steps <= MaxHorizonSteps && n*(steps+n) > maxLeadWork {
		p.fail("spec.leadTime: a lead of up to %s and a horizon of %s at a resolution of %s are %d and %d steps, and "+
			"each step is planned for its whole lead, which takes too long: use a coarser spec.demand.resolution, a "+
			"shorter spec.leadTime.max or fixed, or a shorter spec.horizon",
			v1alpha1.FormatDuration(longest), v1alpha1.FormatDuration(s.Horizon), v1alpha1.FormatDuration(s.Step), n, steps)
	}
	if n > forecaster.MaxLead {
		p.fail("spec.leadTime: a lead of up to %s at a resolution of %s is %d steps, more than %d: "+
			"use a coarser spec.demand.resolution, or a shorter spec.leadTime.max or fixed",
			v1alpha1.FormatDuration(longest), v1alpha1.FormatDuration(s.Step), n, forecaster.MaxLead)
	}
}
