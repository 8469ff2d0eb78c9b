package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	// PartialGrace is how long answers in part are left out of a series, and do not lower observed
	// demand. A store that restarts is
	// back by then. Where the source still answers in part, its answers are used, and told: then that
	// is how the source is, and its answers are better than none.
	PartialGrace = 30 * time.Minute
	// minPartialRetry and maxPartialRetry bound how soon an older period that was answered in part is
	// read again. The wait doubles.
	minPartialRetry, maxPartialRetry = 5 * time.Minute, 6 * time.Hour
	// maxPeriods bounds how many periods are read again one by one.
	maxPeriods = 16
)

// period is a time that the server answered in part only.
type period struct {
	from, to time.Time
	// since is when it was first answered in part.
	since time.Time
}

// trusted reports whether what was answered in part is used nevertheless.
func (p period) trusted(now time.Time) bool { return now.Sub(p.since) >= PartialGrace }

// partials are the periods of a series that were answered in part, in the order of time. They are
// read again until the answer is whole.
type partials struct {
	periods []period
	// warnings are what the server said about them.
	warnings []string
	retryAt  time.Time
	tries    int
}

// steps returns how many steps lie in the periods.
func (p *partials) steps(step time.Duration) int {
	n := 0
	for _, x := range p.periods {
		n += stepsBetween(x.from, x.to, step)
	}
	return n
}

// answered replaces what is known about [from, to), which was read now: the spans in part were
// answered in part, and the rest is whole. A span that touches a period of before is as old as
// that.
func (p *partials) answered(from, to time.Time, part []span, warnings []string, now time.Time) {
	before := p.periods
	p.periods = nil
	for _, x := range before {
		if x.from.Before(from) {
			p.periods = append(p.periods, period{x.from, earlier(x.to, from), x.since})
		}
		if x.to.After(to) {
			p.periods = append(p.periods, period{later(x.from, to), x.to, x.since})
		}
	}
	for _, s := range part {
		fresh := period{s.start, s.end(), now}
		for _, x := range before {
			if !x.from.After(fresh.to) && !x.to.Before(fresh.from) {
				fresh.since = earlier(fresh.since, x.since)
			}
		}
		p.periods = append(p.periods, fresh)
	}
	p.merge()
	if len(part) > 0 {
		p.warnings = warnings
		p.schedule(now)
	}
	if len(p.periods) == 0 {
		*p = partials{}
	}
}

// merge joins periods that touch, and the closest ones while there are too many.
func (p *partials) merge() {
	slices.SortFunc(p.periods, func(a, b period) int { return a.from.Compare(b.from) })
	join := func(i int) {
		a, b := p.periods[i], p.periods[i+1]
		p.periods[i] = period{a.from, later(a.to, b.to), earlier(a.since, b.since)}
		p.periods = slices.Delete(p.periods, i+1, i+2)
	}
	for i := 0; i+1 < len(p.periods); {
		if p.periods[i+1].from.After(p.periods[i].to) {
			i++
		} else {
			join(i)
		}
	}
	for len(p.periods) > maxPeriods {
		best := 0
		for i := range len(p.periods) - 1 {
			if p.gap(i) < p.gap(best) {
				best = i
			}
		}
		join(best)
	}
}

func (p *partials) gap(i int) time.Duration { return p.periods[i+1].from.Sub(p.periods[i].to) }

// schedule sets when the periods are read again: after a wait, and once the first of them is
// trusted.
func (p *partials) schedule(now time.Time) {
	if !p.retryAt.After(now) {
		p.retryAt = now.Add(min(minPartialRetry<<min(p.tries, 10), maxPartialRetry))
	}
	for _, x := range p.periods {
		if at := x.since.Add(PartialGrace); at.After(now) {
			p.retryAt = earlier(p.retryAt, at)
		}
	}
}

// drop forgets what lies before start.
func (p *partials) drop(start time.Time) {
	var kept []period
	for _, x := range p.periods {
		if x.to.After(start) {
			kept = append(kept, period{later(x.from, start), x.to, x.since})
		}
	}
	if p.periods = kept; len(kept) == 0 {
		*p = partials{}
	}
}

// hide makes gaps of the steps that were answered in part and are not trusted yet.
func (p *partials) hide(s Series, now time.Time) {
	for _, x := range p.periods {
		if x.trusted(now) {
			continue
		}
		part := s.Between(x.from, x.to)
		for i := range part.Values {
			part.Values[i] = math.NaN()
		}
	}
}

// readAgain reads the periods before until again, when it is time for that. A whole answer replaces
// what was known. One in part fills gaps, once it is trusted.
func (r *Reader) readAgain(ctx context.Context, until, now time.Time) {
	if len(r.partial.periods) == 0 || now.Before(r.partial.retryAt) {
		return
	}
	r.partial.tries++
	for _, x := range slices.Clone(r.partial.periods) {
		x.to = earlier(x.to, until)
		if !x.from.Before(x.to) {
			continue
		}
		a, err := r.source.readRange(ctx, r.config.Query, x.from, x.to, r.config.Step, nil)
		if err != nil || !a.labels.Equal(r.labels) {
			continue // Nothing is lost: it is read again later.
		}
		r.partial.answered(x.from, x.to, a.partial, a.notes.Warnings, now)
		r.fill(x, a, now)
	}
	r.partial.retryAt = time.Time{}
	r.partial.schedule(now)
}

// fill puts the new answer for a period into a copy of the series: what was returned already must
// not change.
func (r *Reader) fill(x period, a answer, now time.Time) {
	if missing := stepsBetween(x.from, r.series.Start, r.config.Step); missing > 0 {
		r.series.Values = append(gaps(missing), r.series.Values...)
		r.series.Start = x.from
	}
	r.move(r.series.Values)
	into := r.series.Between(x.from, x.to).Values
	for i, v := range a.series.Values[:len(into)] {
		inPart := a.answeredInPart(x.from.Add(time.Duration(i) * r.config.Step))
		if !inPart || x.trusted(now) && math.IsNaN(into[i]) {
			into[i] = v
		}
	}
}

// answeredInPart reports whether the step that begins at an instant was answered in part.
func (a answer) answeredInPart(at time.Time) bool {
	return slices.ContainsFunc(a.partial, func(p span) bool { return !at.Before(p.start) && at.Before(p.end()) })
}

// onlyInPart is about a history of which nothing was answered as a whole.
func onlyInPart(since, now time.Time, warnings []string) *Error {
	why := ""
	if len(warnings) > 0 {
		why = fmt.Sprintf(" (Prometheus says: %s)", strings.Join(warnings, "; "))
	}
	return errf(ErrPartial, "the source answers in part only, so demand would look too low%s: bring the missing stores "+
		"back; if it stays like this, what it answers is used in %s", why,
		PartialGrace-now.Sub(since).Round(time.Second))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
