// Package learned shows what is known about the capacity of a Forecast's replicas.
package learned

import (
	"context"
	"errors"
	"fmt"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// Source answers queries over a span of steps. A [history.Source] is one.
type Source interface {
	Range(
		ctx context.Context, query string, from, to time.Time, step time.Duration, progress func(done, total int),
	) (history.Series, history.Notes, error)
}

// Evidence is what a capacity is learned from, beside the demand.
type Evidence struct {
	Latency, Replicas forecaster.Series
	// Notes say what is not there, and why.
	Notes []string
}

// Read reads the latency and the ready replicas for the steps of a demand. A query that gives no
// series makes a note, since there may have been no requests.
func Read(
	ctx context.Context, source Source, l planner.LearnSettings, demand history.Series, progress func(done, total int),
) (out Evidence, err error) {
	for _, part := range []struct {
		field, query string
		into         *forecaster.Series
	}{
		{"spec.capacity.objective.query", l.Query, &out.Latency},
		{"spec.capacity.replicas.query", l.ReplicasQuery, &out.Replicas},
	} {
		if part.query == "" {
			out.Notes = append(out.Notes, part.field+" is not set")
			continue
		}
		series, notes, err := source.Range(ctx, part.query, demand.Start, demand.End(), demand.Step, progress)
		switch {
		case errors.Is(err, history.ErrNoSeries), errors.Is(err, history.ErrNotFinite):
			out.Notes = append(out.Notes, fmt.Sprintf("%s: %v", part.field, err))
		case err != nil:
			return out, fmt.Errorf("%s: %w", part.field, err)
		}
		for _, note := range notes.List() {
			out.Notes = append(out.Notes, part.field+": "+note)
		}
		*part.into = forecaster.Series(series)
	}
	return out, nil
}

// ReleasedAt returns since when the target of a Forecast serves with its present release; zero if that
// is not known. fc may be nil.
func ReleasedAt(fc *v1alpha1.Forecast) time.Time {
	if fc == nil || fc.Status.Capacity == nil || fc.Status.Capacity.ReleasedAt == nil {
		return time.Time{}
	}
	return fc.Status.Capacity.ReleasedAt.Time
}
