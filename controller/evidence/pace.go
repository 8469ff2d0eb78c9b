package evidence

import (
	"context"
	"errors"
	"time"

	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/history"
)

const (
	// leastSteps is how many steps a read has at least that is made shorter.
	leastSteps = 60
	// growAfter is after how many answered reads in a row the next one has twice as many steps:
	// what was too long while the source was busy need not be later.
	growAfter = 4
	// mostSteps is from how many steps on a read needs no bound.
	mostSteps = 10080
)

// pace bounds the steps of a read: half as many after each one that was too long. The zero value
// bounds nothing.
type pace struct {
	most     int // steps; 0 without a bound
	answered int // reads in a row since most changed
}

// tooLong takes a read of so many steps that was too long. It reports whether the next one is
// shorter.
func (p *pace) tooLong(steps int) bool {
	p.answered = 0
	if steps <= leastSteps {
		return false
	}
	p.most = max(steps/2, leastSteps)
	return true
}

// fits takes a read that was answered.
func (p *pace) fits() {
	if p.most == 0 {
		return
	}
	if p.answered++; p.answered == growAfter {
		p.most, p.answered = 2*p.most, 0
	}
	if p.most >= mostSteps {
		*p = pace{}
	}
}

// tooLong reports whether a shorter span may be answered where one failed with err.
func tooLong(err error) bool {
	return errors.Is(err, history.ErrTimeout) || errors.Is(err, history.ErrTooLarge) ||
		errors.Is(err, context.DeadlineExceeded)
}

// answered returns how many of the steps from an instant on a result knows. A source that fails
// after some requests returns the steps up to there.
func answered(r reads.Result, from time.Time, step time.Duration, steps int) int {
	switch kind := history.KindOf(r.Err); {
	case r.Err == nil, kind == history.ErrNoSeries, kind == history.ErrNotFinite:
		return steps
	case !tooLong(r.Err) && kind != history.ErrUnavailable && kind != history.ErrUnreachable:
		return 0 // They may be of another series.
	case r.Series.Step != step || r.Series.Start.Sub(from).Abs() >= step:
		return 0
	}
	return min(len(r.Series.Values), steps)
}
