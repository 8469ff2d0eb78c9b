package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

const (
	// DefaultShortageCost weighs unserved demand where the user asks for a service level instead.
	DefaultShortageCost = 20
	// DefaultStabilization is the HPA's scale-down stabilisation window.
	DefaultStabilization = 5 * time.Minute
	// DefaultHorizon is how far a plan reaches.
	DefaultHorizon = 24 * time.Hour
)

// Options say what to replay.
type Options struct {
	// Name of the series; "" where there is one only.
	Name string
	// Series is the demand.
	Series history.Series
	// From is the first step that is scored; what is before it is history. At least one step must be.
	From int
	// Lead is the time from "asked for" to "serving".
	Lead time.Duration
	// Capacity is the demand that one replica serves.
	Capacity float64
	// Contract is what the served demand is held to.
	Contract forecaster.Contract
	// MinReplicas and MaxReplicas of the HPA; 0 is none.
	MinReplicas, MaxReplicas int
	// MinDemand and MaxDemand bound the plan, as spec.bounds does; a MaxDemand of 0 is no bound.
	MinDemand, MaxDemand float64
	// Stabilization is the scale-down stabilisation window.
	Stabilization time.Duration
	// Horizon is how far a plan reaches.
	Horizon time.Duration
	// Refresh says how plans reach the served number.
	Refresh Refresh
	// Ramp is how fast the HPA that reads the plan adds replicas.
	Ramp planner.Ramp
	// History is how much of the series a fit looks back on; 0 is the forecaster's own limit.
	History time.Duration
	// Periods are the seasons of the demand; they are detected without any.
	Periods []time.Duration
	// Location is the zone of the daily cycle; nil is UTC.
	Location *time.Location
	// Calendars are those whose days the forecast learns.
	Calendars planner.Calendars
	// Peaks are the declared peaks.
	Peaks []*scheduler.Schedule
	// Policies to set side by side; none is DefaultPolicies.
	Policies []string
	// Headroom adds to each policy of today what it comes to with the factor that did best on its history.
	Headroom bool
	// Sweep are leads to replay besides Lead: what a faster start would be worth. Those of equal length in steps are one.
	Sweep []time.Duration
	// GPUs of one replica; 0 where GPU-hours say nothing.
	GPUs float64
	// Price of one GPU-hour, or of one replica-hour where GPUs is 0; 0 is unknown.
	Price float64
	// Service names the proposed manifests; "" is "my-service".
	Service string
	// Existing is the Forecast that the proposal is about, where there is one; nil proposes a new one.
	Existing *v1alpha1.Forecast
	// Query is the PromQL that the proposed Forecast reads; "" leaves it to be filled in.
	Query string
	// Plans is called with the plan of each step, whole, before anything is made of it; nil for none.
	Plans func(plan.Plan)
	// Progress is called now and then with what is done and what there is to do; nil for none.
	Progress func(done, total int)
}

// Refresh says how plans reach the served number in a replay.
type Refresh string

const (
	// RefreshStep plans at every step and serves from that plan.
	RefreshStep Refresh = "step"
	// RefreshStatus plans at every step and serves from what would stand in a Forecast's status: coarser and rounded up, and
	// written when the publisher finds it worth a write.
	RefreshStatus Refresh = "status"
)

// DefaultOptions are Options without a series, capacity, lead or contract.
func DefaultOptions() Options {
	return Options{
		MinReplicas: 1, Stabilization: DefaultStabilization, Horizon: DefaultHorizon, Refresh: RefreshStep, Ramp: planner.ProposedRamp(),
	}
}

func (o Options) validate() error {
	n := len(o.Series.Values)
	switch {
	case o.Series.Step <= 0:
		return errors.New("the series has no step")
	case n < 2:
		return fmt.Errorf("%d rows are not enough: a replay needs history and at least one step after it", n)
	case o.From < 1:
		return fmt.Errorf("the replay would begin at %s, with no history before it: choose a later --from", o.stamp(0))
	case o.From >= n:
		return fmt.Errorf("the replay would begin at or after %s, when the input ends: choose an earlier --from", o.stamp(n))
	case o.Series.Between(o.Series.Start, o.at(o.From)).Known() == 0:
		return fmt.Errorf("no row before %s has a value: choose a later --from, or an input with history", o.stamp(o.From))
	case o.Series.Between(o.at(o.From), o.Series.End()).Known() == 0:
		return fmt.Errorf("no row from %s on has a value: there is nothing to replay", o.stamp(o.From))
	}
	return o.validateSize()
}

// Bounds of what is replayed, so that a step much finer than was meant does not run for days. The horizon's is that of a Forecast.
const (
	maxSteps        = 1_000_000
	maxHorizonSteps = 10080
	// A long series of which less than one step in sparse has a value was read at another step than it was written at.
	longSeries, sparse = 10_000, 100
)

// validateSize checks how much there is to do.
func (o Options) validateSize() error {
	step := v1alpha1.FormatDuration(o.Series.Step)
	const remedy = "give a coarser --step, or a shorter"
	if n := len(o.Series.Values); n > maxSteps {
		return fmt.Errorf("the input has %d steps of %s, more than %d: %s input", n, step, maxSteps, remedy)
	}
	if n, known := len(o.Series.Values), o.Series.Known(); n > longSeries && known < n/sparse {
		return fmt.Errorf("only %d of %d steps of %s have a value: give the input's own --step", known, n, step)
	}
	for _, b := range []struct {
		what string
		span time.Duration
		most int
	}{{"horizon", o.Horizon, maxHorizonSteps}, {"lead", o.Lead, forecaster.MaxLead}} {
		if steps := int((b.span + o.Series.Step - 1) / o.Series.Step); steps > b.most {
			return fmt.Errorf("a %s of %s has %d steps of %s, more than the %d that a Forecast may have: %s --%s",
				b.what, v1alpha1.FormatDuration(b.span), steps, step, b.most, remedy, b.what)
		}
	}
	return o.validateService()
}

// Bounds of what one replica serves, so that figures stay readable.
const (
	minCapacity = 1e-9
	maxCapacity = 1e15
)

// validateService checks what is said about the service and its HPA.
func (o Options) validateService() error {
	switch {
	case !(o.Capacity >= minCapacity && o.Capacity <= maxCapacity):
		return fmt.Errorf("capacity must be above 0, from %g to %g: give the demand that one replica serves, as --capacity", minCapacity, maxCapacity)
	case o.Lead < 0 || o.Lead > 24*time.Hour:
		return fmt.Errorf("lead %s must be from 0 to 24h", o.Lead)
	case o.MinReplicas < 0 || o.MaxReplicas < 0 || (o.MaxReplicas > 0 && o.MaxReplicas < o.MinReplicas):
		return errors.New("min and max replicas must not be below 0, nor max below min")
	case o.Stabilization < 0 || o.Horizon < o.Series.Step:
		return errors.New("stabilization must not be below 0, nor the horizon below one step")
	}
	return o.validateChoices()
}

// validateChoices checks what is to be replayed beside it.
func (o Options) validateChoices() error {
	if o.Refresh != RefreshStep && o.Refresh != RefreshStatus {
		return fmt.Errorf("plan refresh %q is unknown: step or status", o.Refresh)
	}
	if money := o.GPUs + o.Price; o.GPUs < 0 || o.Price < 0 || math.IsNaN(money) || math.IsInf(money, 0) {
		return errors.New("GPUs per replica and price must be numbers from 0")
	}
	for _, lead := range o.Sweep {
		if lead < 0 || lead > 24*time.Hour {
			return fmt.Errorf("lead %s of the sweep must be from 0 to 24h", lead)
		}
	}
	for i, name := range o.Policies {
		if slices.Contains(o.Policies[:i], name) {
			return fmt.Errorf("policy %q is named twice: leave one out", name)
		}
		if _, ok := policies[name]; !ok {
			return fmt.Errorf("policy %q is unknown: choose from %s", name, policyNames())
		}
	}
	return nil
}

// at is the beginning of step i.
func (o Options) at(i int) time.Time {
	return o.Series.Start.Add(time.Duration(i) * o.Series.Step)
}

func (o Options) stamp(i int) string { return o.at(i).UTC().Format(time.RFC3339) }

// location is the zone whose days are meant.
func (o Options) location() *time.Location {
	if o.Location != nil {
		return o.Location
	}
	return time.UTC
}

// shortageCost is the weight of unserved demand in the figures.
func (o Options) shortageCost() float64 {
	if o.Contract.ShortageCost > 0 {
		return o.Contract.ShortageCost
	}
	return DefaultShortageCost
}
