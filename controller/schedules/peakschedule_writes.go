package schedules

import (
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// planBatchDelay is how long after a change of a plan the PeakSchedules of its Forecast are
	// reconciled. A change of a PeakSchedule changes several plans at about the same time, and its
	// status is written once for all of them.
	planBatchDelay = 2 * time.Second
	// maxWritePause is the longest pause after a write. A PeakSchedule whose windows change all the
	// time, or that selects many Forecasts, is not written more often.
	maxWritePause = 30 * time.Second
	// demandRefresh is how old the demand of the Forecasts in status gets when it changes only a
	// little.
	demandRefresh = 5 * time.Minute
	// demandTolerance is the change of a demand, relative to the larger value, up to which it
	// counts as little.
	demandTolerance = 0.05
)

// scheduleWrites knows when this process wrote the status of each PeakSchedule. The zero value has
// written none.
type scheduleWrites struct {
	mu   sync.Mutex
	last map[types.NamespacedName]scheduleWrite
}

// scheduleWrite has the times of the last write of a status, and of the last write after a change
// of the spec. They are zero when this process has made no such write.
type scheduleWrite struct{ at, specAt time.Time }

// pause returns how long the status must not be written yet; 0 when it may be written.
//
// After a change of the spec the pauses double, from planBatchDelay up to maxWritePause. The plans
// with the new spec come one by one in the first seconds, and whoever changed the spec waits for
// their demand. After half a minute every pause is maxWritePause, however many Forecasts are
// selected.
func (w *scheduleWrites) pause(key types.NamespacedName, now time.Time) time.Duration {
	last := w.of(key)
	pause := min(max(last.at.Sub(last.specAt), planBatchDelay), maxWritePause)
	return max(last.at.Add(pause).Sub(now), 0)
}

// delay returns how long to wait before the PeakSchedule is reconciled again instead of writing
// next; 0 when next is to be written now. The status after a change of the spec is written at once,
// since users do not change specs often.
func (w *scheduleWrites) delay(
	key types.NamespacedName, written, next *v1alpha1.PeakScheduleStatus, now time.Time,
) time.Duration {
	age := now.Sub(w.of(key).at)
	switch {
	case written.ObservedGeneration != next.ObservedGeneration:
		return 0
	case equality.Semantic.DeepEqual(*written, *next):
		return maxRequeue
	case age < demandRefresh && equalWithinTolerance(written, next):
		return demandRefresh - age
	}
	return w.pause(key, now)
}

func (w *scheduleWrites) of(key types.NamespacedName) scheduleWrite {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last[key]
}

// wrote records a write, and whether it was the first one after a change of the spec.
func (w *scheduleWrites) wrote(key types.NamespacedName, at time.Time, newSpec bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[types.NamespacedName]scheduleWrite{}
	}
	write := scheduleWrite{at: at, specAt: w.last[key].specAt}
	if newSpec {
		write.specAt = at
	}
	w.last[key] = write
}

func (w *scheduleWrites) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, key)
}

// equalWithinTolerance reports whether two statuses differ only in demands, and in these only by a
// little.
func equalWithinTolerance(written, next *v1alpha1.PeakScheduleStatus) bool {
	old := make(map[string]v1alpha1.SelectedForecast, len(written.Forecasts))
	for _, f := range written.Forecasts {
		old[f.Name] = f
	}
	rounded := *next
	rounded.Forecasts = nil
	for _, f := range next.Forecasts {
		o, ok := old[f.Name]
		if ok && isNear(o.Demand, f.Demand) && isNear(o.DemandAtNext, f.DemandAtNext) {
			f = o
		}
		rounded.Forecasts = append(rounded.Forecasts, f)
	}
	return equality.Semantic.DeepEqual(*written, rounded)
}

// isNear reports whether two demands differ by at most demandTolerance, or both are nil.
func isNear(a, b *resource.Quantity) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := a.AsApproximateFloat64(), b.AsApproximateFloat64()
	return math.Abs(x-y) <= demandTolerance*max(x, y)
}
