package evidence

import (
	"context"
	"time"

	"headstart.dev/headstart/history"
)

// Source answers queries over a span of steps. A [history.Source] is one.
type Source interface {
	Range(
		ctx context.Context, query string, from, to time.Time, step time.Duration, progress func(done, total int),
	) (history.Series, history.Notes, error)
}

// Open returns the source of a name, as a namespace sees it.
type Open func(namespace, name string) (Source, error)

// Sources returns how to open the sources of the configuration.
func Sources(all *history.Sources) Open {
	return func(namespace, name string) (Source, error) {
		s, err := all.For(namespace, name)
		if err != nil {
			return nil, err // Not s: a nil *Source is not a nil Source.
		}
		return s, nil
	}
}

// span is a reads.SeriesReader of one query over one span.
type span struct {
	open            Open
	namespace, name string // of the source
	query           string
	from, to        time.Time
	step            time.Duration
	whole           bool // whether an answer in part is an error
}

// Notes implements reads.SeriesReader.
func (span) Notes() history.Notes { return history.Notes{} }

// Read implements reads.SeriesReader.
func (s span) Read(ctx context.Context) (history.Series, int, error) {
	source, err := s.open(s.namespace, s.name)
	if err != nil {
		return history.Series{}, 0, err
	}
	series, notes, err := source.Range(ctx, s.query, s.from, s.to, s.step, nil)
	// Latencies of some replicas are better than none, but a part of the replicas or of a term is wrong.
	if s.whole && notes.Partial > 0 {
		series = history.Series{}
	}
	if err == nil && s.whole && notes.Partial > 0 {
		err = &history.Error{Kind: history.ErrPartial, Source: s.name, Message: "the source answers in part only: " +
			"bring the missing stores back"}
	}
	return series, len(series.Values), err
}
