package adapter

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/labels"
)

// MaxMilli is the largest value that is served, in thousandths: 9.2e15 whole units. The autoscaler turns more into zero.
const MaxMilli int64 = 9_200_000_000_000_000_000

// Metrics answers from memory. Its methods are called from many goroutines at once, must not block and must not call out.
type Metrics interface {
	// Value returns what the Forecast namespace/name serves at now. The error is an *Unavailable where there is no value to
	// serve; any other error is a fault of the program and served as such.
	Value(namespace, name string, now time.Time) (Value, error)
	// Names lists the Forecasts of a namespace whose labels match the selector, in a stable order.
	Names(namespace string, selector labels.Selector) []string
}

// Value is one number to serve.
type Value struct {
	// Milli is the demand in thousandths of its unit. What is below 0 or above MaxMilli is served as that bound.
	Milli int64
	// ComputedAt is when the number was computed: when the plan was made, or when demand was measured. Never in the future.
	ComputedAt time.Time
	// Labels of the Forecast, for selectors. Read only: it may be the informer cache's own map.
	Labels map[string]string
}

// Reason says in one word why there is no value. Reasons are part of the API: they are served in the Status' causes and
// counted by result.
type Reason string

// The reasons that this package knows. An implementation of Metrics may have others.
const (
	// ReasonNotFound: there is no such Forecast, or a selector excludes it.
	ReasonNotFound Reason = "NotFound"
	// ReasonNoPlan: no plan was made yet, and the mode asks for one.
	ReasonNoPlan Reason = "NoPlan"
	// ReasonPlanExpired: the plan is over and onPlanExpiry asks for an error.
	ReasonPlanExpired Reason = "PlanExpired"
	// ReasonNoObservation: observed demand is to be served and there is none that is fresh enough.
	ReasonNoObservation Reason = "NoObservation"
	// ReasonNotSynced: the caches are not filled yet, so nothing is known about any Forecast.
	ReasonNotSynced Reason = "NotSynced"
	// ReasonInvalidValue: the value is not a finite number.
	ReasonInvalidValue Reason = "InvalidValue"
)

// Unavailable says that there is no value to serve, and why.
type Unavailable struct {
	// Reason in one word.
	Reason Reason
	// Message completes it for a person: what is, and what to do about it.
	Message string
}

// Error implements error.
func (u *Unavailable) Error() string {
	if u.Message == "" {
		return string(u.Reason)
	}
	return fmt.Sprintf("%s: %s", u.Reason, u.Message)
}

// Milli turns demand into thousandths: rounded to the nearest, but a demand above 0 never becomes 0, and a negative one is 0.
// It is false for NaN and infinities, which must not be served.
func Milli(demand float64) (int64, bool) {
	switch {
	case math.IsNaN(demand), math.IsInf(demand, 0):
		return 0, false
	case demand <= 0:
		return 0, true
	case demand >= float64(MaxMilli)/1000:
		return MaxMilli, true
	}
	return max(1, int64(math.Round(demand*1000))), true
}
