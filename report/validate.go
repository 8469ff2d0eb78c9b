package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

// The bounds of a replay. A step that is much too fine must not make it run for days.
const (
	maxSteps        = 1_000_000
	maxHorizonSteps = 10080 // as for a Forecast
	maxLead         = 24 * time.Hour
	// A series of more than manySteps steps, of which less than one in sparseSteps has a value, was
	// read with a step that is not its own.
	manySteps, sparseSteps = 10_000, 100
	// The bounds of the capacity keep the figures readable.
	minCapacity, maxCapacity = 1e-9, 1e15
)

// validate returns the first error of the options. Errors name the flags of `headstart report`.
func (o Options) validate() error {
	for _, check := range []func() error{
		o.validateSeries, o.validateSize, o.validateService, o.validateHPA, o.validateChoices,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) validateSeries() error {
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
		return fmt.Errorf("no row at or after %s has a value: there is nothing to replay", o.stamp(o.From))
	}
	return nil
}

func (o Options) validateSize() error {
	n, known, step := len(o.Series.Values), o.Series.Known(), v1alpha1.FormatDuration(o.Series.Step)
	const remedy = "give a coarser --step, or a shorter"
	if n > maxSteps {
		return fmt.Errorf("the input has %d steps of %s, more than %d: %s input", n, step, maxSteps, remedy)
	}
	if n > manySteps && known < n/sparseSteps {
		return fmt.Errorf("only %d of %d steps of %s have a value: give the input's own --step", known, n, step)
	}
	for _, d := range []struct {
		flag     string
		value    time.Duration
		maxSteps int
	}{{"horizon", o.Horizon, maxHorizonSteps}, {"lead", o.Lead, forecaster.MaxLead}} {
		if steps := int((d.value + o.Series.Step - 1) / o.Series.Step); steps > d.maxSteps {
			return fmt.Errorf("a %s of %s has %d steps of %s, more than the %d that a Forecast may have: %s --%s",
				d.flag, v1alpha1.FormatDuration(d.value), steps, step, d.maxSteps, remedy, d.flag)
		}
	}
	return nil
}

func (o Options) validateService() error {
	switch {
	case !(o.Capacity >= minCapacity && o.Capacity <= maxCapacity): // also refuses NaN
		return fmt.Errorf("capacity must be from %g to %g: give the demand that one replica serves, as --capacity",
			minCapacity, maxCapacity)
	case o.Lead < 0 || o.Lead > maxLead:
		return fmt.Errorf("lead %s must be from 0 to 24h", o.Lead)
	case o.MinReplicas < 0 || o.MaxReplicas < 0 || (o.MaxReplicas > 0 && o.MaxReplicas < o.MinReplicas):
		return errors.New("min and max replicas must not be below 0, and max must not be below min")
	case o.AtMost != 0 && (!(o.AtMost >= 1) || o.Contract.ShortageCost > 0):
		return errors.New("what a service level may cost is from 1 on, and not for a shortage cost: correct --spend-at-most")
	case o.Stabilization < 0 || o.Horizon < o.Series.Step:
		return errors.New("the stabilization must not be below 0, and the horizon must not be below one step")
	}
	return nil
}

func (o Options) validateChoices() error {
	if o.Refresh != RefreshStep && o.Refresh != RefreshStatus {
		return fmt.Errorf("plan refresh %q is unknown: choose step or status", o.Refresh)
	}
	if sum := o.GPUs + o.Price; o.GPUs < 0 || o.Price < 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return errors.New("the GPUs per replica and the price must be numbers, and not below 0")
	}
	if !(o.Objective >= 0 && o.Objective <= 1) {
		return fmt.Errorf("the objective is %g of the demand: it must be above 0 and at most 1", o.Objective)
	}
	for _, lead := range o.Sweep {
		if lead < 0 || lead > maxLead {
			return fmt.Errorf("lead %s of the sweep must be from 0 to 24h", lead)
		}
	}
	return o.validatePolicies()
}

func (o Options) validatePolicies() error {
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

func (o Options) validateHPA() error {
	if h := o.HPA; h != nil && !(h.Target > 0 && h.Target <= 10) {
		return fmt.Errorf("the target of the HPA is %g of a replica's capacity: it must be above 0 and at most 10", h.Target)
	}
	return nil
}
