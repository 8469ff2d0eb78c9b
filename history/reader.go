package history

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// ReaderConfig says what a [Reader] follows.
type ReaderConfig struct {
	// Query is the PromQL of the demand.
	Query string
	// Step is the resolution of the series.
	Step time.Duration
	// History is how far back the series reaches, from its end.
	History time.Duration
	// Settle is how long samples may arrive late: the newest steps are not read before that.
	Settle time.Duration
}

func (c ReaderConfig) validate() error {
	switch {
	case c.Query == "":
		return errors.New("query is empty: give the PromQL of the demand")
	case c.Step < time.Millisecond || c.Step%time.Millisecond != 0:
		return fmt.Errorf("step %s must be a whole number of milliseconds above zero", c.Step)
	case c.History < c.Step:
		return fmt.Errorf("history %s must hold at least one step of %s", c.History, c.Step)
	case c.Settle < 0:
		return fmt.Errorf("settle %s must not be negative", c.Settle)
	}
	return nil
}

// Clock tells the time. [k8s.io/utils/clock.PassiveClock] is one.
type Clock interface {
	Now() time.Time
}

// Reader follows one query on one source. Its first read is of the whole history, later ones are
// only of what is new. It is not safe for concurrent use.
type Reader struct {
	source *Source
	config ReaderConfig
	clock  Clock

	// Progress, if not nil, is called with the requests of a Read that are done, and their total.
	Progress func(done, total int)

	series  Series
	labels  model.Metric // of the series
	read    bool         // whether series holds something
	partial partials
	notes   Notes
	// coarseAt is the end of the series when its Coarse was last looked for.
	coarseAt time.Time
}

// NewReader returns a Reader that has not read anything yet. It fails on a config that is not
// valid.
func NewReader(source *Source, config ReaderConfig, clock Clock) (*Reader, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &Reader{source: source, config: config, clock: clock}, nil
}

// Read brings the series up to the last step that has settled. It returns the series, which begins
// with its first known step within the history, and the number of steps that are new at its end.
// Later Reads do not change these values, and the caller must not: Reads share their memory.
//
// When the newest steps were missing the last time, Read requests them again: a late sample fills
// its gap. What the server answered in part only is a gap for half an hour. Then it is used, since
// the server may stay like this. It is read again until the answer is whole. An error leaves what
// was read before as it was.
func (r *Reader) Read(ctx context.Context) (Series, int, error) {
	end := FloorTo(r.clock.Now().Add(-r.config.Settle), r.config.Step)
	start := ceilTo(end.Add(-r.config.History), r.config.Step)
	if r.read && !r.series.End().After(start) {
		r.reset() // the last read is longer ago than the whole history
	}
	if !r.read {
		return r.readAll(ctx, start, end)
	}
	if !end.After(r.series.End()) {
		return r.view(), 0, nil // no new step, or the clock went back
	}
	return r.readNew(ctx, start, end)
}

func (r *Reader) readAll(ctx context.Context, start, end time.Time) (Series, int, error) {
	a, err := r.source.readRange(ctx, r.config.Query, start, end, r.config.Step, r.Progress)
	if err != nil {
		return Series{}, 0, err
	}
	now := r.clock.Now()
	r.partial.answered(a.series.Start, a.series.End(), a.partial, a.notes.Warnings, now)
	r.partial.drop(start)
	r.partial.hide(a.series, now)
	if a.series.Known() == 0 { // Something was known, so it was hidden.
		return Series{}, 0, r.source.named(onlyInPart(r.partial.periods[0].since, now, a.notes.Warnings))
	}
	r.series, r.labels, r.read = a.series, a.labels, true
	r.trim(start)
	r.move(r.series.Values)
	r.note(a.notes)
	return r.view(), len(r.series.Values), nil
}

// Notes returns what there is to know about the series and the last requests.
func (r *Reader) Notes() Notes {
	n := r.notes
	n.Warnings = slices.Clone(n.Warnings)
	if n.Partial = r.partial.steps(r.config.Step); n.Partial > 0 {
		n.warn(r.partial.warnings...)
	}
	return n
}

// note keeps the notes of a read. It looks for coarse samples once for each window.
func (r *Reader) note(n Notes) {
	n.Coarse = r.notes.Coarse
	if end := r.series.End(); r.coarseAt.IsZero() || end.Sub(r.coarseAt) >= coarseWindow*r.config.Step {
		n.Coarse, r.coarseAt = coarse(r.series), end
	}
	r.notes = n
}

func (r *Reader) readNew(ctx context.Context, start, end time.Time) (Series, int, error) {
	from := r.series.Start.Add(time.Duration(r.firstMissing()) * r.config.Step)
	if from.Before(start) {
		from = start
	}
	a, err := r.source.readRange(ctx, r.config.Query, from, end, r.config.Step, r.Progress)
	switch {
	case errors.Is(err, ErrNoSeries), errors.Is(err, ErrNotFinite), errors.Is(err, ErrPartial):
		// There is nothing new, but there is a series: the new steps are gaps, as in a whole read.
		a.series = Series{Start: from, Step: r.config.Step, Values: gaps(stepsBetween(from, end, r.config.Step))}
	case err != nil:
		return Series{}, 0, err
	case !a.labels.Equal(r.labels):
		// A whole read would find both series and reject them. So does this one, and the next Read
		// is a whole one.
		before := r.labels
		r.reset()
		return Series{}, 0, r.source.named(severalSeries(before, a.labels))
	}
	keep := stepsBetween(r.series.Start, from, r.config.Step)
	added := stepsBetween(r.series.End(), end, r.config.Step)
	if keep < len(r.series.Values) || keep+len(a.series.Values) > cap(r.series.Values) {
		// What was returned already must not change, and what is too old need not be moved.
		old := min(max(0, stepsBetween(r.series.Start, start, r.config.Step)), keep)
		r.series.Start = r.series.Start.Add(time.Duration(old) * r.config.Step)
		r.move(r.series.Values[old:keep])
	}
	r.series.Values = append(r.series.Values, a.series.Values...)
	now := r.clock.Now()
	r.partial.answered(from, end, a.partial, a.notes.Warnings, now)
	r.partial.hide(r.series.Between(from, end), now)
	r.readAgain(ctx, from, now)
	r.trim(start)
	r.note(a.notes)
	if len(r.series.Values) == 0 {
		r.reset()
		return Series{}, 0, r.source.named(noSeries(start, end))
	}
	return r.view(), min(added, len(r.series.Values)), nil
}

// reset forgets what was read: the next Read reads the whole history.
func (r *Reader) reset() {
	r.series, r.labels, r.read = Series{}, nil, false
	r.notes, r.coarseAt = Notes{}, time.Time{}
}

// firstMissing returns the index at which the gap at the end of the series begins. It looks back
// half a request at most.
func (r *Reader) firstMissing() int {
	i := len(r.series.Values)
	least := max(0, i-defaultMaxPoints/2)
	for i > least && math.IsNaN(r.series.Values[i-1]) {
		i--
	}
	return i
}

// trim drops the steps before start, and the gap before the first known step.
func (r *Reader) trim(start time.Time) {
	first := max(0, stepsBetween(r.series.Start, start, r.config.Step))
	for first < len(r.series.Values) && math.IsNaN(r.series.Values[first]) {
		first++
	}
	r.series.Start = r.series.Start.Add(time.Duration(first) * r.config.Step)
	r.series.Values = r.series.Values[first:]
	r.partial.drop(start)
}

// move makes a copy of values those of the series, with a little room for new ones: Reads share it
// until that is used up.
func (r *Reader) move(values []float64) {
	n := len(values)
	r.series.Values = append(make([]float64, 0, n+max(64, n/256)), values...)
}

// view returns the series. To append to its values does not change those of the Reader.
func (r *Reader) view() Series {
	s := r.series
	s.Values = slices.Clip(s.Values)
	return s
}
