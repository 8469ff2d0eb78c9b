package planner

import (
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/spend"
)

// maxAtMost is the largest bound on what plans ask for, over a reactive policy.
const maxAtMost = 1000

// ParseAtMost reads the bound on what a service level may cost; "" is none, which is 0. field is
// how errors refer to it.
func ParseAtMost(text v1alpha1.Decimal, c forecaster.Contract, field string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	bound, err := text.Parse()
	if err != nil || !(bound >= 1 && bound <= maxAtMost) {
		return 0, fmt.Errorf("%s: %q must be from 1 to %d, such as \"2\": how many times the replica-hours of a "+
			"reactive policy the plans of a week may ask for", field, string(text), maxAtMost)
	}
	if c.ShortageCost > 0 {
		return 0, fmt.Errorf("%s: it bounds what a service level costs; a shortage cost already weighs what it pays: "+
			"lower the shortage cost instead", field)
	}
	return bound, nil
}

// atMost reads spec.provisionFor.atMost.
func (p *specParser) atMost(spec *v1alpha1.ForecastSpec, c forecaster.Contract) float64 {
	const field = "spec.provisionFor.atMost"
	if spec.ProvisionFor.AtMost == nil {
		return 0
	}
	bound, err := ParseAtMost(*spec.ProvisionFor.AtMost, c, field)
	if err != nil {
		p.errs = append(p.errs, err)
	}
	if spec.Demand == nil {
		p.fail("%s: it needs spec.demand, to know what a reactive policy would take", field)
	}
	if spec.OverflowOf != nil {
		p.fail("%s: leave it out beside spec.overflowOf: what overflows from there is not demand that is observed here",
			field)
	}
	return bound
}

// RestoreSpend returns the counts that a status records; none where it records nothing that can be
// used. status may be nil.
func RestoreSpend(status *v1alpha1.SpendStatus, now time.Time) *spend.Ledger {
	if status == nil || status.RecordSince == nil || status.RecordUntil == nil {
		return &spend.Ledger{}
	}
	record := spend.Record{Since: status.RecordSince.Time, Until: status.RecordUntil.Time, Text: status.Record}
	l, err := spend.Restore(record, now)
	if err != nil {
		return &spend.Ledger{}
	}
	return l
}

// guard holds the plans of a Forecast to a multiple of what a reactive policy would take.
type guard struct {
	ledger *spend.Ledger
	at     time.Time // the end of the known series
	keep   spend.Keep
}

// guard returns the guard of a step; nil where nothing is bounded, or not enough is known.
func (in StepInput) guard(ledger *spend.Ledger) *guard {
	set := in.Settings
	if ledger == nil || !(set.AtMost > 0) || !(in.Capacity > 0) || in.Series == nil {
		return nil
	}
	at := in.Series.Start.Add(time.Duration(len(in.Series.Values)) * in.Series.Step)
	keep := ledger.Keep(at, spend.Bound{AtMost: set.AtMost, Level: set.Contract.ServiceLevel})
	return &guard{ledger, at, keep}
}

// lower returns the input of a plan with what may be kept of its forecast. g may be nil.
func (g *guard) lower(in buildInput) buildInput {
	if g == nil {
		return in
	}
	return in.keeping(g.keep)
}

// keeping returns the input with a part of its forecast.
func (in buildInput) keeping(keep spend.Keep) buildInput {
	o := in.Outlook
	if o == nil || !o.Skilled || keep >= spend.All {
		return in
	}
	lowered := *o
	lowered.Cover = slices.Clone(o.Cover)
	for i, cover := range o.Cover {
		cover, half := nonNegative(cover), 0.0
		if i < len(o.Half) {
			half = min(nonNegative(o.Half[i]), cover)
		}
		lowered.Cover[i] = keep.Of(nonNegative(in.Observed), half, cover)
	}
	in.Outlook = &lowered
	return in
}

// count counts what a plan asks for, and returns the figures of the week; nil where nothing is
// bounded. whole is the input of the plan with all of the forecast. A step whose demand is not
// known is not counted. g may be nil.
func (g *guard) count(in StepInput, whole buildInput, built plan.Plan, observed Observation) (*spend.Figures, error) {
	if g == nil {
		return nil, nil
	}
	if !observed.At.Equal(g.at) || !g.ledger.Awaits(g.at) {
		return new(g.ledger.Figures()), nil
	}
	set := in.Settings
	demand := nonNegative(observed.Value)
	s := spend.Step{
		At: g.at, Length: set.Step, Demand: demand, Window: spend.Window{Steps: whole.Lead + 1, Observed: demand},
	}
	replicas := func(planned float64) float64 {
		return float64(plan.Within(max(planned, demand, set.Min), in.Capacity, set.Scaling.MinReplicas,
			set.Scaling.MaxReplicas))
	}
	s.Reactive, s.Asked = replicas(0), replicas(g.planned(built))
	for _, part := range []struct {
		keep     spend.Keep
		demand   *float64
		replicas *float64
	}{
		{spend.All, &s.Window.Full, &s.Full},
		{spend.Expected, &s.Window.Expected, &s.Expected},
	} {
		other := built
		if part.keep != g.keep {
			var err error
			if other, _, err = build(whole.keeping(part.keep)); err != nil {
				return nil, err
			}
		}
		*part.demand = max(g.planned(other), demand, set.Min)
		*part.replicas = replicas(*part.demand)
	}
	g.ledger.Count(s)
	return new(g.ledger.Figures()), nil
}

// planned returns what a plan has for the first unknown step; 0 where it has nothing.
func (g *guard) planned(p plan.Plan) float64 {
	s := p.Segments[0]
	i := int(g.at.Sub(p.Start) / s.Step)
	if i < 0 || i >= len(s.Values) {
		return 0
	}
	v := nonNegative(s.Values[i])
	if math.IsInf(v, 1) {
		return 0
	}
	return v
}
