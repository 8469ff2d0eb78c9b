package adapter

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/labels"
)

// MaxMilli is the largest value that is served, in thousandths: 9.2e15 whole units. An autoscaler
// reads a larger one as zero.
const MaxMilli int64 = 9_200_000_000_000_000_000

// Metrics has the values to serve. Its methods must be safe for concurrent use. They answer from
// memory: they must not block, and must not call anything outside the process.
type Metrics interface {
	// Value returns what the Forecast namespace/name serves at now. The error is an *Unavailable
	// when there is no value to serve. Any other error is a fault of the program, served with
	// the code 500.
	Value(namespace, name string, now time.Time) (Value, error)
	// Names returns the Forecasts of a namespace whose labels match the selector, in a stable
	// order.
	Names(namespace string, selector labels.Selector) []string
}

// Value is one number to serve.
type Value struct {
	// Milli is the demand in thousandths of its unit. A number below 0 is served as 0, and one
	// above MaxMilli as MaxMilli.
	Milli int64
	// ComputedAt is when the plan was made, or when demand was measured. A time in the future is
	// served as now.
	ComputedAt time.Time
	// Labels of the Forecast, for selectors. They are only read: the map may be that of the
	// informer cache.
	Labels map[string]string
}

// Reason is one word for why there is no value. Reasons are part of the API: they are served as a
// cause in the Status, and are values of the label "result".
type Reason string

// The reasons that this package defines. An implementation of Metrics may have others.
const (
	// ReasonNotFound indicates that there is no such Forecast, or that a selector excludes it.
	ReasonNotFound Reason = "NotFound"
	// ReasonNoPlan indicates that the Forecast's mode serves a plan, and none was made yet.
	ReasonNoPlan Reason = "NoPlan"
	// ReasonPlanExpired indicates that the plan has ended, and onPlanExpiry is Error.
	ReasonPlanExpired Reason = "PlanExpired"
	// ReasonNoObservation indicates that observed demand should be served, and none is recent
	// enough.
	ReasonNoObservation Reason = "NoObservation"
	// ReasonInvalidValue indicates that the value is not a finite number.
	ReasonInvalidValue Reason = "InvalidValue"
)

// Unavailable is the error of a Forecast that has no value to serve.
type Unavailable struct {
	// Reason is one word for why there is no value.
	Reason Reason
	// Message says what is wrong, and what to do about it.
	Message string
}

// Error implements error.
func (u *Unavailable) Error() string {
	if u.Message == "" {
		return string(u.Reason)
	}
	return fmt.Sprintf("%s: %s", u.Reason, u.Message)
}

// Milli converts a demand to thousandths, rounded to the nearest. A demand above 0 never becomes 0,
// a negative one is 0, and a huge one MaxMilli. ok is false for NaN and infinities, which must not
// be served.
func Milli(demand float64) (milli int64, ok bool) {
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
