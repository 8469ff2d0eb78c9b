package plan

import (
	"errors"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// Why nothing can be served. Each is wrapped with what to do about it; an HPA that gets an error holds its replicas.
var (
	// ErrNoPlan indicates that there is no plan yet, and no observed demand to serve instead.
	ErrNoPlan = errors.New("no plan")
	// ErrPlanExpired indicates that the plan is outlived and the policy for that does not serve anything.
	ErrPlanExpired = errors.New("plan outlived")
	// ErrNoObservation indicates that only observed demand could be served, and that it is not known or too old.
	ErrNoObservation = errors.New("no fresh observation")
)

// Source is what a served value rests on.
type Source string

// What a served value rests on.
const (
	SourcePlan     Source = "Plan"
	SourceObserved Source = "Observed"
	SourceStatic   Source = "Static"
	SourceBound    Source = "Bound"
)

// DefaultMaxObservedAge is three polls of 30 s: an older observation is no floor any more.
const DefaultMaxObservedAge = 90 * time.Second

// ServeInput is what is known when a value is asked for.
type ServeInput struct {
	// Plan is the plan in force; nil when there is none.
	Plan *Plan
	// Mode of the Forecast. Empty is Active.
	Mode v1alpha1.ForecastMode
	// Expiry is what to do with an outlived plan. Empty is Error.
	Expiry v1alpha1.ExpiryPolicy
	// Static is the value of the policy Static.
	Static float64
	// Min is bounds.min: in mode Active nothing less is served. 0 is no bound.
	Min float64
	// Observed is the demand that was measured last; NaN when it is unknown.
	Observed float64
	// ObservedAt is when Observed was measured.
	ObservedAt time.Time
	// MaxObservedAge is how old an observation may be; DefaultMaxObservedAge when it is 0.
	MaxObservedAge time.Duration
	// Now is the time to serve for.
	Now time.Time
}

// Served is the number that the HPA reads.
type Served struct {
	// Value in the unit of demand: finite, 0 or above.
	Value float64
	// ComputedAt is when what the value rests on was made or measured.
	ComputedAt time.Time
	// Source is what the value rests on.
	Source Source
	// FloorDropped is true when there was no fresh observation to hold the plan up.
	FloorDropped bool
}

// Serve turns a plan and the observed demand into the number that is served. In mode Active it is the plan, never below what is
// observed; in the other modes what is observed. It never answers with a number for "unknown": it returns an error that wraps
// ErrNoPlan, ErrPlanExpired or ErrNoObservation.
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
	return base, nil
}

// base is what is served before the floor of observed demand and the bound.
func (in ServeInput) base(observed Served, fresh bool) (Served, error) {
	if in.Plan == nil || len(in.Plan.Segments) == 0 {
		if fresh {
			return observed, nil
		}
		return Served{}, fmt.Errorf("%w: none was made yet, and observed demand is not known either: see the conditions of the Forecast", ErrNoPlan)
	}
	if end := in.Plan.End(); !in.Now.Before(end) {
		return in.outlived(end, observed, fresh)
	}
	at := in.Now
	if at.Before(in.Plan.Start) { // another machine's clock is ahead of this one's
		at = in.Plan.Start
	}
	if v, ok := in.Plan.At(at); ok && usable(v) {
		return Served{Value: v, ComputedAt: in.Plan.ComputedAt, Source: SourcePlan}, nil
	}
	if fresh {
		return observed, nil
	}
	return Served{}, in.noObservation("the plan says nothing about this time, for there is no forecast with skill")
}

func (in ServeInput) outlived(end time.Time, observed Served, fresh bool) (Served, error) {
	switch in.Expiry {
	case v1alpha1.ExpiryObserved:
		if fresh {
			return observed, nil
		}
		return Served{}, in.noObservation(fmt.Sprintf("the plan ended at %s and the policy for that is Observed", end.UTC().Format(time.RFC3339)))
	case v1alpha1.ExpiryStatic:
		if usable(in.Static) {
			return Served{Value: in.Static, ComputedAt: end, Source: SourceStatic}, nil
		}
	case v1alpha1.ExpiryError:
	}
	return Served{}, fmt.Errorf("%w: it was made at %s and ended at %s: look why no new one came (conditions of the Forecast, Prometheus, the leader), or set onPlanExpiry",
		ErrPlanExpired, in.Plan.ComputedAt.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
}

func (in ServeInput) observation() (Served, bool) {
	limit := in.MaxObservedAge
	if limit <= 0 {
		limit = DefaultMaxObservedAge
	}
	fresh := usable(in.Observed) && !in.ObservedAt.IsZero() && in.Now.Sub(in.ObservedAt) <= limit
	return Served{Value: in.Observed, ComputedAt: in.ObservedAt, Source: SourceObserved}, fresh
}

func (in ServeInput) noObservation(why string) error {
	if in.ObservedAt.IsZero() || !usable(in.Observed) {
		return fmt.Errorf("%w: %s, and it was not measured yet: check the query and its Prometheus source", ErrNoObservation, why)
	}
	return fmt.Errorf("%w: %s, and the last measurement is %s old: check that its Prometheus source answers",
		ErrNoObservation, why, in.Now.Sub(in.ObservedAt).Round(time.Second))
}

// usable says whether v can be served as it is.
func usable(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
