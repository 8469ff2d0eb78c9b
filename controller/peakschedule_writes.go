package controller

import (
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

// figuresDiffer is by how much of the larger one a demand differs from the one in status where that is worth a write of its own.
const figuresDiffer = 0.05

// scheduleWrites knows when this process wrote the status of each schedule. The zero value has written none.
type scheduleWrites struct {
	mu   sync.Mutex
	last map[types.NamespacedName]scheduleWrite
}

// scheduleWrite is the last write of a status, and the last one that had a new spec to answer. A zero instant: none by this process.
type scheduleWrite struct{ at, answered time.Time }

// pause is for how long the status may not be written yet, whatever wakes its schedule; zero where it may. After a new spec the pauses
// double from planGathers on: the plans that have it come one by one in the seconds after, and their figures are what its author waits
// for. From half a minute on the pause is leastSleep, however many Forecasts are lifted.
func (w *scheduleWrites) pause(key types.NamespacedName, now time.Time) time.Duration {
	last := w.of(key)
	gap := min(max(last.at.Sub(last.answered), planGathers), leastSleep)
	return max(last.at.Add(gap).Sub(now), 0)
}

// later is after how long it is worth while to look at a schedule again instead of writing its next status; zero where it is to be
// written now. A status that answers a new spec is written at once: such writes are as many as its author's.
func (w *scheduleWrites) later(key types.NamespacedName, written, next *v1alpha1.PeakScheduleStatus, now time.Time) time.Duration {
	age := now.Sub(w.of(key).at)
	switch {
	case written.ObservedGeneration != next.ObservedGeneration:
		return 0
	case equality.Semantic.DeepEqual(*written, *next):
		return longestSleep
	case age < demandAge && sameButFigures(written, next):
		return demandAge - age // they are renewed then
	}
	return w.pause(key, now)
}

func (w *scheduleWrites) of(key types.NamespacedName) scheduleWrite {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last[key]
}

// wrote notes a write, and whether it answered a new spec.
func (w *scheduleWrites) wrote(key types.NamespacedName, at time.Time, answers bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[types.NamespacedName]scheduleWrite{}
	}
	write := scheduleWrite{at: at, answered: w.last[key].answered}
	if answers {
		write.answered = at
	}
	w.last[key] = write
}

func (w *scheduleWrites) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, key)
}

// sameButFigures says whether two statuses differ by no more than figures of demand that hardly moved: a forecast that moves a little
// makes no write.
func sameButFigures(written, next *v1alpha1.PeakScheduleStatus) bool {
	was := make(map[string]v1alpha1.SelectedForecast, len(written.Forecasts))
	for _, f := range written.Forecasts {
		was[f.Name] = f
	}
	rounded := *next
	rounded.Forecasts = nil
	for _, f := range next.Forecasts {
		if old, ok := was[f.Name]; ok && near(old.Demand, f.Demand) && near(old.DemandAtNext, f.DemandAtNext) {
			f = old
		}
		rounded.Forecasts = append(rounded.Forecasts, f)
	}
	return equality.Semantic.DeepEqual(*written, rounded)
}

func near(a, b *resource.Quantity) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := a.AsApproximateFloat64(), b.AsApproximateFloat64()
	return math.Abs(x-y) <= figuresDiffer*max(x, y)
}
