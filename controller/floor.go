package controller

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
)

// reasonFloorDropped is the reason of the condition Observed while observed demand holds nothing up.
const reasonFloorDropped = "FloorDropped"

// DemandObserver polls observed demand, the floor of what this replica serves. An [values.Observer] is one.
type DemandObserver interface {
	// LastPoll returns the state of the polls for a Forecast.
	LastPoll(types.NamespacedName) values.LastPoll
	// Changes has an event for each Forecast whose floor was dropped, or has come back.
	Changes() <-chan event.GenericEvent
	// MaxAge is how old an observation may be to count as the floor.
	MaxAge() time.Duration
}

// judgeFloor sets the condition Observed: whether observed demand holds the served metric up. Every replica polls for itself, and
// this is what the leader sees.
func (e *evaluation) judgeFloor() {
	if !e.set.HasDemand {
		e.v.unknown(v1alpha1.ConditionObserved, reasonNotAsked, "spec.demand is not set")
		return
	}
	last := e.demand.LastPoll(types.NamespacedName{Namespace: e.fc.Namespace, Name: e.fc.Name})
	maxAge := e.demand.MaxAge()
	why := "no poll has ended since"
	if last.Err != nil {
		why = oneLine(last.Err)
	}
	switch {
	case last.SucceededAt.IsZero() && last.Err == nil:
		e.v.unknown(v1alpha1.ConditionObserved, "NotPolled", "observed demand has not been polled yet")
	case last.SucceededAt.IsZero():
		e.v.fail(v1alpha1.ConditionObserved, reasonFloorDropped, "observed demand cannot be polled, and does not hold the served metric up: %s", why)
	case e.now.Sub(last.SucceededAt) > maxAge:
		e.v.fail(v1alpha1.ConditionObserved, reasonFloorDropped, "observed demand was polled last at %s, longer ago than three polls (%s), and does not hold the served metric up any more: %s",
			last.SucceededAt.UTC().Format(time.RFC3339), maxAge, why)
	default:
		e.v.ok(v1alpha1.ConditionObserved, "Polled", "the served metric never goes below observed demand, which is polled")
	}
}
