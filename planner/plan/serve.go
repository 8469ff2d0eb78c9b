package plan

import (
	"errors"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// Why nothing can be served. Each error is wrapped with what to do about it. An HPA that gets an
// error keeps its replicas.
var (
	// ErrNoPlan means that there is no plan yet, and no observed demand to serve instead.
	ErrNoPlan = errors.New("no plan")
	// ErrPlanExpired means that the plan has ended, and that onPlanExpiry serves nothing then.
	ErrPlanExpired = errors.New("plan expired")
	// ErrNoObservation means that only observed demand could be served, and that it is not known or
	// too old.
	ErrNoObservation = errors.New("no fresh observation")
)

// Source is where a served value comes from.
type Source string

// The sources of a served value.
const (
	SourcePlan     Source = "Plan"
	SourceObserved Source = "Observed"
	SourceStatic   Source = "Static"
	SourceBound    Source = "Bound"
	// SourceHeldBack is the most that a service of a lower priority may have.
	SourceHeldBack Source = "HeldBack"
)

// DefaultMaxObservedAge is three polls of 30 s. An older observation is not served, and is no lower
// bound of what is served.
const DefaultMaxObservedAge = 90 * time.Second

// ServeInput is what is known when a value is requested.
type ServeInput struct {
	// Plan is the current plan; nil when there is none.
	Plan *Plan
	// Mode of the Forecast. Empty is Active.
	Mode v1alpha1.ForecastMode
	// Expiry says what to serve after the end of the plan. Empty is Error.
	Expiry v1alpha1.ExpiryPolicy
	// Static is the value of the policy Static.
	Static float64
	// Min is bounds.min: in mode Active nothing less is served. 0 is no bound.
	Min float64
	// Observed is the newest measured demand; NaN when it is not known.
	Observed float64
	// ObservedAt is when Observed was measured.
	ObservedAt time.Time
	// MaxObservedAge is how old an observation may be; DefaultMaxObservedAge when it is 0.
	MaxObservedAge time.Duration
	// Now is the instant to serve for.
	Now time.Time
}

// Served is the number that the HPA reads.
type Served struct {
	// Value in the unit of demand: finite, 0 or above.
	Value float64
	// ComputedAt is when the plan was made, or the demand was measured.
	ComputedAt time.Time
	// Source is where the value comes from.
	Source Source
	// FloorDropped reports whether the plan was served without its lower bound, because there was
	// no fresh observation.
	FloorDropped bool
}

// Serve returns the number that is served for a plan and the observed demand. In mode Active it is
// the plan, and never less than what is observed, but at most what the plan leaves to the service
// beside those of a higher priority. In the other modes it is what is observed. When
// the number is not known, Serve returns an error that wraps ErrNoPlan, ErrPlanExpired or
// ErrNoObservation.
func Serve(in ServeInput) (Served, error) {
	observed, fresh := in.observation()
	if in.Mode != v1alpha1.ForecastActive && in.Mode != "" {
		if !fresh {
			return Served{}, in.noObservation(fmt.Sprintf("mode %s serves observed demand only", in.Mode))
		}
		return observed, nil
	}
	base, err := in.base(observed, fresh)
	if err != nil {
		return Served{}, err
	}
	if fresh && observed.Value > base.Value {
		base = observed
	}
	base.FloorDropped = !fresh
	if usable(in.Min) && in.Min > base.Value {
		base.Value, base.Source = in.Min, SourceBound
	}
	if in.Plan != nil {
		if most, bounded := in.Plan.MostAt(in.Now); bounded && usable(most) && most < base.Value {
			base.Value, base.ComputedAt, base.Source = most, in.Plan.ComputedAt, SourceHeldBack
		}
	}
	return base, nil
}

// base returns what is served before the lower bounds: observed demand and Min.
func (in ServeInput) base(observed Served, fresh bool) (Served, error) {
	if in.Plan == nil || len(in.Plan.Segments) == 0 {
		if fresh {
			return observed, nil
		}
		return Served{}, fmt.Errorf(
			"%w: none was made yet, and observed demand is not known: see the conditions of the Forecast", ErrNoPlan)
	}
	if end := in.Plan.End(); !in.Now.Before(end) {
		return in.afterEnd(end, observed, fresh)
	}
	at := in.Now
	if at.Before(in.Plan.Start) { // The planner's clock is ahead of this machine's.
		at = in.Plan.Start
	}
	if v, ok := in.Plan.At(at); ok && usable(v) {
		return Served{Value: v, ComputedAt: in.Plan.ComputedAt, Source: SourcePlan}, nil
	}
	if fresh {
		return observed, nil
	}
	return Served{}, in.noObservation("the plan has no value for this time, because no forecast has skill")
}

// afterEnd returns what is served once the plan has ended.
func (in ServeInput) afterEnd(end time.Time, observed Served, fresh bool) (Served, error) {
	switch in.Expiry {
	case v1alpha1.ExpiryObserved:
		if fresh {
			return observed, nil
		}
		return Served{}, in.noObservation(
			fmt.Sprintf("the plan ended at %s and onPlanExpiry.policy is Observed", end.UTC().Format(time.RFC3339)))
	case v1alpha1.ExpiryStatic:
		if usable(in.Static) {
			return Served{Value: in.Static, ComputedAt: end, Source: SourceStatic}, nil
		}
	case v1alpha1.ExpiryError:
	}
	return Served{}, fmt.Errorf("%w: it was made at %s and ended at %s: find out why there is no newer one "+
		"(conditions of the Forecast, Prometheus, the leader), or set onPlanExpiry", ErrPlanExpired,
		in.Plan.ComputedAt.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
}

// observation returns the observed demand as a served value, and reports whether it is fresh.
func (in ServeInput) observation() (Served, bool) {
	limit := in.MaxObservedAge
	if limit <= 0 {
		limit = DefaultMaxObservedAge
	}
	age := in.Now.Sub(in.ObservedAt)
	// An observation of the future is no better than an old one. Clocks differ by seconds.
	fresh := usable(in.Observed) && !in.ObservedAt.IsZero() && age <= limit && age >= -limit
	return Served{Value: in.Observed, ComputedAt: in.ObservedAt, Source: SourceObserved}, fresh
}

func (in ServeInput) noObservation(why string) error {
	if in.ObservedAt.IsZero() || !usable(in.Observed) {
		return fmt.Errorf("%w: %s, and demand was not measured yet: check the query and its Prometheus source",
			ErrNoObservation, why)
	}
	return fmt.Errorf("%w: %s, and the last measurement is %s old: check that its Prometheus source answers",
		ErrNoObservation, why, in.Now.Sub(in.ObservedAt).Round(time.Second))
}

// usable reports whether v can be served as it is.
func usable(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
