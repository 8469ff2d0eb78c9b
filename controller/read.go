package controller

import (
	"fmt"
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// read starts a read of history when one is due. It reports whether to wait for a read before the
// evaluation, because a plan without its result would have to be written again soon. The wait is
// short: peaks and conditions must not wait for a source that never answers.
func (r *ForecastReconciler) read(
	key types.NamespacedName, state *forecastState, set planner.Settings, now time.Time, fetch evidence.Fetcher,
) (wait bool) {
	readerKey := fmt.Sprintf("%s|%s|%s|%s|%s", set.Source, set.Query, set.Step, set.History, set.Settle)
	if state.readerKey != readerKey {
		fetch.Forget(key)
		state.readerKey, state.hasRead, state.nextRead = readerKey, false, time.Time{}
		state.series, state.notes = history.Series{}, history.Notes{}
		state.step.Model.Forget()
		state.reader, state.readErr = r.open(key.Namespace, set)
	}
	if got, ok := fetch.Take(reads.Key{Forecast: key, Part: reads.Demand}); ok {
		state.record(got)
		if kind := history.KindOf(got.Err); kind != "" && !kind.Temporary() {
			state.nextRead = now.Add(max(set.Step, permanentErrorRetry))
		}
		return false
	}
	if state.reader == nil {
		state.reader, state.readErr = r.open(key.Namespace, set) // The sources may have changed.
		if state.reader == nil {
			state.nextRead = now.Add(max(set.Step, permanentErrorRetry))
			return false
		}
	}
	if fetch.Busy(reads.Key{Forecast: key, Part: reads.Demand}) {
		if !now.Before(state.nextRead) {
			// The read lasts longer than a step. Without a later time, the Forecast would be
			// requeued at once, again and again.
			state.nextRead = nextRead(key, set, now)
		}
		return !state.hasRead && state.readErr == nil && now.Before(state.waitUntil(set))
	}
	if now.Before(state.nextRead) {
		return false
	}
	state.nextRead, state.requestedAt = nextRead(key, set, now), now
	fetch.Request(reads.Key{Forecast: key, Part: reads.Demand}, set.Source, state.reader)
	return true
}

// openFrom returns a function that makes readers for the configured sources.
func openFrom(sources *history.Sources, c history.Clock) func(string, planner.Settings) (reads.SeriesReader, error) {
	return func(namespace string, set planner.Settings) (reads.SeriesReader, error) {
		src, err := sources.For(namespace, set.Source)
		if err != nil {
			return nil, err
		}
		config := history.ReaderConfig{Query: set.Query, Step: set.Step, History: set.ReadSpan(), Settle: set.Settle}
		reader, err := history.NewReader(src, config, c)
		if err != nil {
			return nil, err // Not reader: a nil *Reader is not a nil SeriesReader.
		}
		return reader, nil
	}
}

// nextRead returns when the current step has settled. It is spread a little by the Forecast's name,
// so that not all Forecasts read at the same instant.
func nextRead(key types.NamespacedName, set planner.Settings, now time.Time) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key.String()))
	spread := time.Duration(h.Sum64() % uint64(max(1, set.Step/8))) //nolint:gosec // a duration above 0
	end := history.FloorTo(now.Add(-set.Settle), set.Step).Add(set.Step)
	return end.Add(set.Settle + spread)
}

// untilNext returns how long to wait until the next evaluation: until the next read, or until the
// next step where nothing is read.
func untilNext(state *forecastState, set planner.Settings, now time.Time) time.Duration {
	wait := state.nextRead.Sub(now)
	if !set.HasDemand || set.Mode == v1alpha1.ForecastPaused {
		wait = history.FloorTo(now, set.Step).Add(set.Step).Sub(now)
	}
	return max(wait, minRequeue)
}
