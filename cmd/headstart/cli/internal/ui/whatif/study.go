// Package whatif reads the history of a Forecast and says what another setting would have led to,
// with the code of headstart report. Everything is computed on request.
package whatif

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/history"
)

// Source answers queries. A history.Source does.
type Source interface {
	Range(ctx context.Context, query string, from, to time.Time, step time.Duration, progress func(done, total int)) (
		history.Series, history.Notes, error)
}

// Progress hears how far a task is: what is done, and how much of how much.
type Progress func(what string, done, total int)

// Options of a Study.
type Options struct {
	// Reader reads what plans a Forecast, with the permissions of the user.
	Reader client.Reader
	// Source is the Prometheus; nil without one. From names it. Without one, From says what to do.
	Source Source
	From   string
}

// Study reads histories and replays them. It is safe for concurrent use.
type Study struct {
	o    Options
	slot chan struct{} // held while a history is read

	mu   sync.Mutex
	kept *prepared // the last history that was read
}

// New returns a Study.
func New(o Options) (*Study, error) {
	if o.Reader == nil || o.From == "" {
		return nil, errors.New("a study needs a reader of the cluster, and a name of its source")
	}
	return &Study{o: o, slot: make(chan struct{}, 1)}, nil
}

// Where says where history comes from.
type Where struct {
	// Known reports whether there is a source. If not, Text says what to do.
	Known bool   `json:"known"`
	Text  string `json:"text"`
}

// From says where history comes from.
func (s *Study) From() Where { return Where{s.o.Source != nil, s.o.From} }

const (
	// readWithin bounds what is read of the cluster for one request, historyWithin what is read of
	// Prometheus.
	readWithin    = 30 * time.Second
	historyWithin = 5 * time.Minute
	// keptFor is how long a history is used again.
	keptFor = 5 * time.Minute
)

// prepared is what a replay or a forecast is made from.
type prepared struct {
	uid        types.UID
	generation int64
	at         time.Time
	spec       spec.Spec
	series     history.Series
	notes      []string
}

// prepare reads the settings and the history of a Forecast. A history that was read a moment ago is
// used again.
func (s *Study) prepare(
	ctx context.Context, fc *v1alpha1.Forecast, now time.Time, progress Progress,
) (*prepared, error) {
	if s.o.Source == nil {
		return nil, errors.New(s.o.From)
	}
	select {
	case s.slot <- struct{}{}:
		defer func() { <-s.slot }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	p := s.kept
	s.mu.Unlock()
	if p != nil && p.uid == fc.UID && p.generation == fc.Generation && now.Sub(p.at) < keptFor {
		return p, nil
	}
	p, err := s.read(ctx, fc, now, progress)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.kept = p
	s.mu.Unlock()
	return p, nil
}

func (s *Study) read(ctx context.Context, fc *v1alpha1.Forecast, now time.Time, progress Progress) (*prepared, error) {
	reading, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	found, err := spec.Read(reading, s.o.Reader, fc, nil)
	if err != nil {
		return nil, err
	}
	set := found.Settings
	if !set.HasDemand {
		return nil, errors.New("the Forecast has no query, so it serves only its peaks: there is no history to read")
	}
	querying, cancel := context.WithTimeout(ctx, historyWithin)
	defer cancel()
	series, notes, err := s.o.Source.Range(querying, set.Query, now.Add(-set.ReadSpan()), now, set.Step,
		func(done, total int) { progress("reading history", done, total) })
	out := &prepared{
		uid: fc.UID, generation: fc.Generation, at: now, spec: found, series: series,
		notes: append(found.Peaks.Warnings, notes.List()...),
	}
	switch {
	case err != nil && (len(series.Values) == 0 || !history.KindOf(err).Temporary()):
		return nil, fmt.Errorf("read history from %s: %w", s.o.From, err)
	case err != nil:
		out.notes = append(out.notes, "the history could be read only in part: "+err.Error())
	}
	return out, nil
}
