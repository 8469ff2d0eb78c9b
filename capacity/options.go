package capacity

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Options say what an Estimator is to hold. Loads are in the unit of the demand, per replica.
type Options struct {
	// Step is the resolution of the samples.
	Step time.Duration
	// AtMost is the objective: a step meets it when its latency is at most this, in the unit of
	// [Sample.Latency].
	AtMost float64
	// Attain is the share of the steps that must meet the objective, from 0.5 to 0.9999.
	Attain float64
	// Min and Max bound the capacity that is used. The zero value of Min bounds nothing. A Max of 0
	// or +Inf means four times the default: what is farther off is more likely a mistaken unit.
	Min, Max float64
	// Default counts where there is no evidence. It is above 0.
	Default float64
}

func (o Options) withDefaults() Options {
	if o.Max == 0 || math.IsInf(o.Max, 1) {
		o.Max = max(4*o.Default, o.Min)
	}
	return o
}

func (o Options) validate() error {
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
	switch {
	case o.Step <= 0:
		return fmt.Errorf("a step of %s: it must be above 0", o.Step)
	case !positive(o.AtMost):
		return fmt.Errorf("an objective of at most %v: it must be above 0", o.AtMost)
	case !(o.Attain >= 0.5 && o.Attain <= 0.9999):
		return fmt.Errorf("attain %v: it must be from 0.5 to 0.9999", o.Attain)
	case !positive(o.Default):
		return fmt.Errorf("a default of %v: it must be above 0", o.Default)
	case !(o.Min >= 0) || math.IsInf(o.Min, 1):
		return fmt.Errorf("a minimum of %v: it must be 0 or above", o.Min)
	case !(o.Max >= o.Min):
		return errors.New("the maximum is below the minimum")
	}
	return nil
}
