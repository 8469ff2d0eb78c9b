package planner

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/planner/plan"
)

// PublisherOptions say how often a plan may be written.
type PublisherOptions struct {
	// Writes is the most writes within Window, whatever happens.
	Writes int
	// Window is the sliding time that Writes are counted over.
	Window time.Duration
	// Refresh is how old a published plan gets before a fresh one is worth a write.
	Refresh time.Duration
	// Moved is the relative change of the value for the coming lead window that is worth a write at once.
	Moved float64
}

// DefaultPublisherOptions are 12 writes an hour, a fresh plan every 5 minutes, and at once when the value moved by 5 %.
func DefaultPublisherOptions() PublisherOptions {
	return PublisherOptions{Writes: 12, Window: time.Hour, Refresh: 5 * time.Minute, Moved: 0.05}
}

func (o PublisherOptions) validate() error {
	switch {
	case o.Writes < 1:
		return errors.New("publisher: writes must be at least 1")
	case o.Window <= 0 || o.Refresh <= 0:
		return errors.New("publisher: window and refresh must be above 0")
	case !(o.Moved > 0):
		return errors.New("publisher: moved must be above 0")
	}
	return nil
}

// Publisher decides whether a fresh plan is worth a write. It keeps the times of past writes and nothing else; a caller serialises
// its calls.
//
// The fewer writes are left, the more it takes: a refresh waits up to three times as long, and never takes the last write; the
// movement that is worth a write is Moved while half of the writes or more are left, and rises to sixteen times that for the last
// one. So a quiet series is refreshed, and a noisy one cannot use up what a real jump needs.
type Publisher struct {
	opts   PublisherOptions
	writes []time.Time
}

// NewPublisher makes a Publisher that knows of no past write.
func NewPublisher(opts PublisherOptions) (*Publisher, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	return &Publisher{opts: opts}, nil
}

// Decision is whether to write, and why.
type Decision struct {
	Publish bool
	// Reason for a log line and for tests.
	Reason string
}

// Decide says whether fresh is worth a write at now, given what is published; nil when nothing is. The lead is that of the fresh
// plan. A write that was made is reported with Wrote.
func (p *Publisher) Decide(now time.Time, published *plan.Plan, fresh plan.Plan, lead time.Duration) Decision {
	left := p.left(now)
	switch {
	case left <= 0:
		return Decision{Reason: fmt.Sprintf("all %d writes of the last %s are used", p.opts.Writes, p.opts.Window)}
	case published == nil:
		return Decision{Publish: true, Reason: "nothing is published yet"}
	case says(*published, fresh):
		return Decision{Reason: "the fresh plan says what the published one does"}
	case !published.End().After(now.Add(lead)) && fresh.End().After(published.End()):
		return Decision{Publish: true, Reason: "the published plan ends within the lead window"}
	}
	moved := p.moved(now, *published, fresh, lead)
	if need := p.threshold(left); moved > need {
		return Decision{Publish: true, Reason: fmt.Sprintf("the value moved by %.1f %%, more than %.1f %%", 100*moved, 100*need)}
	}
	if age := now.Sub(published.ComputedAt); age >= p.patience(left) {
		return Decision{Publish: true, Reason: fmt.Sprintf("the published plan is %s old", age.Round(time.Second))}
	}
	return Decision{Reason: "the published plan is still good"}
}

// says tells whether two plans would read the same in status, but for when they were made. Plans from the same end of a series do, for
// as long as nothing new can be read: an outage must not use up the writes that the plan after it needs.
func says(published, fresh plan.Plan) bool {
	return published.Start.Equal(fresh.Start) && published.End().Equal(fresh.End()) && slices.Equal(published.Encode().Segments, fresh.Encode().Segments)
}

// Recent lists the writes that still count at now, oldest first.
func (p *Publisher) Recent(now time.Time) []time.Time {
	p.left(now)
	return slices.Clone(p.writes)
}

// Wrote records a write. A caller that starts anew records those that it knows of, such as the published plan's ComputedAt.
func (p *Publisher) Wrote(at time.Time) {
	p.left(at)
	p.writes = append(p.writes, at)
}

// left counts the writes that may still be made, and forgets those that are out of the window.
func (p *Publisher) left(now time.Time) int {
	kept := p.writes[:0]
	for _, at := range p.writes {
		if now.Sub(at) < p.opts.Window {
			kept = append(kept, at)
		}
	}
	p.writes = kept
	return p.opts.Writes - len(kept)
}

// threshold rises from Moved, at half of the writes left, to 16 × Moved at the last one: by default, demand five times as high or as low is
// worth it.
func (p *Publisher) threshold(left int) float64 {
	half := float64(p.opts.Writes) / 2
	if float64(left) >= half || half <= 1 {
		return p.opts.Moved
	}
	scarcity := (half - float64(left)) / (half - 1)
	return p.opts.Moved * math.Pow(16, scarcity)
}

// patience is how old a published plan must be before it is refreshed. At one and a half times Refresh a third of the default
// writes stays in reserve.
func (p *Publisher) patience(left int) time.Duration {
	switch {
	case 2*left >= p.opts.Writes:
		return p.opts.Refresh
	case 3*left >= p.opts.Writes:
		return p.opts.Refresh * 3 / 2
	case left > 1:
		return p.opts.Refresh * 3
	default:
		return max(p.opts.Refresh*3, p.opts.Window)
	}
}

// moved is the largest relative change of what would be served until the next refresh or the end of the lead window.
func (p *Publisher) moved(now time.Time, published, fresh plan.Plan, lead time.Duration) float64 {
	until := now.Add(max(lead, p.opts.Refresh))
	step := p.opts.Refresh
	if len(fresh.Segments) > 0 && fresh.Segments[0].Step > 0 {
		step = fresh.Segments[0].Step
	}
	worst := 0.0
	for at := now; !at.After(until); at = at.Add(step) {
		was, had := published.At(at)
		is, has := fresh.At(at)
		switch {
		case had != has && (was > 0 || is > 0):
			return math.Inf(1) // something is said where nothing was, or the other way round
		case had && has && was != is:
			worst = max(worst, math.Abs(is-was)/max(is, was))
		}
	}
	return worst
}
