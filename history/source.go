package history

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Source is one Prometheus as seen from one namespace. Its methods are safe for concurrent use.
// Every call ends within twice the source's timeout for each request.
type Source struct {
	sources   *Sources
	name      string
	namespace string
	// words are those of a command line; nil for a source of the configuration file.
	words *Words
}

// backend returns the backend of the source now: the configuration may have been reloaded since the
// last request.
func (s *Source) backend() (*backend, error) { return s.sources.lookup(s.namespace, s.name) }

// Range reads the steps of [from, to), both rounded down to a multiple of step, in requests of
// bounded size. The result holds every step of the span. A step is a gap when it has no sample, or
// one that is not a finite number of zero or more. The notes say what else there is to know, for
// example that a server answered in part only. progress, if not nil, is called with the
// requests done and their total: before the first request, and after each.
//
// When a request fails after others succeeded, Range returns the steps up to there, beside an error
// that says how far that is.
func (s *Source) Range(
	ctx context.Context, query string, from, to time.Time, step time.Duration, progress func(done, total int),
) (Series, Notes, error) {
	a, err := s.readRange(ctx, query, from, to, step, progress)
	a.notes.Coarse = coarse(a.series)
	return a.series, a.notes, err
}

// answer is the result of the requests for a range.
type answer struct {
	series Series
	labels model.Metric // of the one series
	found  bool         // whether there was any series
	notes  Notes
	// partial are the requests that were answered in part only.
	partial []span
}

func (s *Source) readRange(
	ctx context.Context, query string, from, to time.Time, step time.Duration, progress func(done, total int),
) (answer, error) {
	b, err := s.backend()
	if err != nil {
		return answer{}, s.named(err)
	}
	if step < time.Millisecond || step%time.Millisecond != 0 {
		return answer{}, s.named(errf(ErrBadRequest,
			"a step of %s is not a whole number of milliseconds: use for example 1m", step))
	}
	from, to = FloorTo(from, step), FloorTo(to, step)
	if !from.Before(to) {
		return answer{}, s.named(errf(ErrBadRequest, "no whole step of %s lies between %s and %s: read a longer span",
			step, from.Format(time.RFC3339), to.Format(time.RFC3339)))
	}
	query, err = b.prepare(query, s.namespace)
	if err != nil {
		return answer{}, s.named(err)
	}
	a := answer{series: Series{Start: from, Step: step, Values: gaps(stepsBetween(from, to, step))}}
	parts := split(from, to, step, b.config.MaxPointsPerRequest)
	report(progress, 0, len(parts))
	for i, p := range parts {
		part, err := b.readPart(ctx, s.namespace, query, p)
		if err == nil {
			err = a.add(part, p)
		}
		if err != nil {
			return a.until(p.start), s.named(withProgress(err, p.start, i, len(parts)))
		}
		report(progress, i+1, len(parts))
	}
	nothing := answer{notes: a.notes, partial: a.partial}
	if !a.found && len(a.partial) > 0 {
		return nothing, s.named(errf(ErrPartial, "the source answers in part only, without a series (Prometheus says: "+
			"%s): bring the missing stores back", strings.Join(a.notes.Warnings, "; ")))
	}
	if !a.found {
		return nothing, s.named(s.explainLabel(noSeries(from, to), b))
	}
	if a.series.Known() == 0 {
		return nothing, s.named(errf(ErrNotFinite, "the query gives a series without a single usable number (%s): "+
			"guard a division with \"> 0\" on its divisor, a subtraction with clamp_min(…, 0)", a.notes.String()))
	}
	return a, nil
}

// until returns what was read before end, at which a request failed.
func (a answer) until(end time.Time) answer {
	a.series.Values = a.series.Values[:stepsBetween(a.series.Start, end, a.series.Step)]
	if !a.found || a.series.Known() == 0 {
		return answer{}
	}
	return a
}

// withProgress adds to an error how many requests succeeded before it, and up to which instant.
func withProgress(err error, at time.Time, done, total int) error {
	if e, ok := err.(*Error); ok && done > 0 { //nolint:errorlint // only an error made here and not yet wrapped
		return e.with(" (%d of %d requests were answered, up to %s)", done, total, at.UTC().Format(time.RFC3339))
	}
	return err
}

func report(progress func(done, total int), done, total int) {
	if progress != nil {
		progress(done, total)
	}
}

// span is the part of a history that one request reads: so many steps from its start on.
type span struct {
	start time.Time
	step  time.Duration
	steps int
}

// end returns the end of the last step.
func (p span) end() time.Time { return p.start.Add(time.Duration(p.steps) * p.step) }

// index returns the step of the sample evaluated at an instant: the step that ends there.
func (p span) index(at time.Time) (int, error) {
	since := at.Sub(p.start)
	i := since/p.step - 1
	if since%p.step != 0 || i < 0 || i >= time.Duration(p.steps) {
		return 0, errf(ErrNotPrometheus, "the answer has a sample at %s, which was not requested: this URL does not "+
			"follow the Prometheus API", at.UTC().Format(time.RFC3339))
	}
	return int(i), nil
}

// split cuts [from, to) into spans of at most points steps. The cuts are multiples of points steps
// since the Unix epoch. So a cache in front of Prometheus sees the same requests again, from every
// reader and at any time.
func split(from, to time.Time, step time.Duration, points int) []span {
	var parts []span
	width := time.Duration(points) * step
	if width/step != time.Duration(points) { // overflow: no span is that long
		width = math.MaxInt64
	}
	for from.Before(to) {
		end := to
		if cut := FloorTo(from, width).Add(width); cut.Before(to) && cut.After(from) {
			end = cut
		}
		parts = append(parts, span{start: from, step: step, steps: stepsBetween(from, end, step)})
		from = end
	}
	return parts
}

// Latest evaluates the query at one instant: the demand observed now. At is the instant at which
// Prometheus evaluated it. The sample itself may be up to Prometheus's lookback older, 5
// minutes, when a target vanished without a stale marker.
func (s *Source) Latest(ctx context.Context, query string, at time.Time) (Sample, error) {
	b, err := s.backend()
	if err != nil {
		return Sample{}, s.named(err)
	}
	if query, err = b.prepare(query, s.namespace); err != nil {
		return Sample{}, s.named(err)
	}
	sample, err := b.readLatest(ctx, s.namespace, query, at)
	if err != nil {
		return Sample{}, s.named(s.explainLabel(err, b))
	}
	return sample, nil
}

// explainLabel adds to an error about missing series which label the source adds to every selector.
func (s *Source) explainLabel(err error, b *backend) error {
	e, ok := err.(*Error) //nolint:errorlint // only an error made here and not yet wrapped
	if label := b.config.EnforceNamespaceLabel; ok && e.Kind == ErrNoSeries && label != "" {
		return e.with("; the source adds %s=%q to every selector, so the series must have that label", label, s.namespace)
	}
	return err
}

// named puts the source's name on an error of this package, or says it in the source's words; it
// returns others as they are.
func (s *Source) named(err error) error {
	e, ok := err.(*Error) //nolint:errorlint // only an error made here and not yet wrapped
	switch {
	case !ok || e.Source != "":
		return err
	case s.words != nil:
		return &Error{Kind: e.Kind, Message: e.in(*s.words)}
	}
	return &Error{Kind: e.Kind, Source: s.name, Message: e.Message}
}
