package values

import (
	"fmt"
	"time"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// overflowEntry is what is known of the overflow of a Forecast.
type overflowEntry struct {
	timeline *plan.Plan // nil where all fits
	lead     time.Duration
	unit, of string
}

// overflowOf reads what the shares of a Forecast need.
func overflowOf(fc *v1alpha1.Forecast) overflowEntry {
	e := overflowEntry{unit: fc.Spec.Unit}
	if lead := fc.Status.LeadTime; lead != nil {
		e.lead, _ = lead.Value.Parse()
	}
	if over := fc.Status.Overflow; over != nil && over.Version == v1alpha1.OverflowVersion {
		if decoded, err := plan.Decode(over.Timeline); err == nil {
			e.timeline = &decoded
		}
	}
	if fc.Spec.OverflowOf != nil {
		e.of = fc.Spec.OverflowOf.Cluster
	}
	return e
}

// Shares implements [adapter.SharesReader]. The shares are those of the plan, whatever the mode of
// the Forecast, so that routing can be tried beforehand.
func (p *Plans) Shares(namespace, name string, now time.Time) (adapter.Shares, error) {
	key, e, err := p.entry(namespace, name)
	if err != nil {
		return adapter.Shares{}, err
	}
	at := func(t time.Time) *plan.Shares { return plan.SharesAt(e.plan, e.overflow.timeline, t) }
	current, ahead := at(now), at(now.Add(e.overflow.lead))
	if current == nil {
		return adapter.Shares{}, &adapter.Unavailable{
			Reason:  adapter.ReasonNoPlan,
			Message: fmt.Sprintf("Forecast %s has no plan for now: see its conditions", key),
		}
	}
	if ahead == nil {
		ahead = current // The plan ends before.
	}
	return adapter.Shares{
		Forecast: key.String(), Unit: e.overflow.unit, OverflowOf: e.overflow.of,
		Now: share(current), LeadAhead: share(ahead),
	}, nil
}

func share(s *plan.Shares) adapter.Share {
	return adapter.Share{
		At: s.At.UTC(), Demand: s.Demand, OverflowDemand: s.OverflowDemand, Here: s.Here, Overflow: s.Overflow,
	}
}
