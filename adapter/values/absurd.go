package values

import (
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// patience is how long observed demand must stay far above the plan to be believed. A rate over
// five minutes shows one absurd sample for that long.
const patience = 5 * time.Minute

// pollValue is the value of one successful poll.
type pollValue struct {
	value float64
	at    time.Time // when the poll began
}

// trailAfter returns the polls of the last minutes, the newest last: those within the patience, and
// the one before them.
func trailAfter(trail []pollValue, newest pollValue) []pollValue {
	from := 0
	for from+1 < len(trail) && newest.at.Sub(trail[from+1].at) >= patience {
		from++
	}
	kept := make([]pollValue, 0, len(trail)-from+1)
	return append(append(kept, trail[from:]...), newest)
}

// believed returns the demand of the last successful poll with a query, and when that began. Where
// demand has been above limit for a shorter time than the patience, it is that of the last poll before:
// one absurd sample must not ask for all replicas that there are. It is NaN where there was none, or
// where another query is polled: the caller knows a Forecast as it was, or not yet as it is.
func (o *Observer) believed(key types.NamespacedName, q *Query, limit float64) (float64, time.Time) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if f := o.queries[key]; q == nil || f == nil || f.Query != *q {
		return math.NaN(), time.Time{}
	}
	value, at := o.latestOf(key)
	if !(value > limit) {
		return value, at
	}
	trail := o.latests[key].trail
	for _, poll := range slices.Backward(trail) {
		switch {
		case at.Sub(poll.at) >= patience && poll.value > limit:
			return value, at
		case poll.value <= limit:
			return poll.value, at
		}
	}
	return math.NaN(), time.Time{}
}
