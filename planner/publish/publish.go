// Package publish decides whether a fresh plan is worth a write to status.
package publish

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/planner/plan"
)

// Options say how often a plan may be written to status.
type Options struct {
	// Writes is the most writes within Window, whatever happens.
	Writes int
	// Window is the sliding window that Writes are counted over.
	Window time.Duration
	// Refresh is how old a published plan gets before a fresh one is worth a write.
	Refresh time.Duration
	// Threshold is the relative change of the served value, until the end of the lead window or the
	// next refresh, that is worth a write at once.
	Threshold float64
}

// DefaultOptions are 12 writes an hour: a fresh plan every 5 minutes, and at once when the
// value changes by 5 %.
func DefaultOptions() Options {
	return Options{Writes: 12, Window: time.Hour, Refresh: 5 * time.Minute, Threshold: 0.05}
}

func (o Options) validate() error {
	switch {
	case o.Writes < 1:
		return errors.New("publisher: writes must be at least 1")
	case o.Window <= 0 || o.Refresh <= 0:
		return errors.New("publisher: window and refresh must be above 0")
	case !(o.Threshold > 0):
		return errors.New("publisher: threshold must be above 0")
	}
	return nil
}

// Publisher decides whether a fresh plan is worth a write. All that it remembers are the times of
// past writes. It is not safe for concurrent use.
//
// The fewer writes remain, the harder it is to get one:
//   - A refresh waits up to three times as long, and never takes the last write.
//   - The change that is worth a write is Threshold while at least half of the writes remain. It
//     rises to 16 times that for the last write.
//
// So a plan that hardly changes is refreshed, and a noisy one does not use up the writes that a
// sudden change needs.
type Publisher struct {
	opts   Options
	writes []time.Time
}

// New returns a Publisher that knows of no past write.
func New(opts Options) (*Publisher, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	return &Publisher{opts: opts}, nil
}

// Decision says whether to write a plan, and why.
type Decision struct {
	Publish bool
	// Reason is for log lines and tests.
	Reason string
}

// Decide says whether the fresh plan is worth a write at now. published is the plan in status; nil
// when there is none. lead is the lead of the fresh plan. The caller calls Wrote after each write.
func (p *Publisher) Decide(now time.Time, published *plan.Plan, fresh plan.Plan, lead time.Duration) Decision {
	remaining := p.remaining(now)
	switch {
	case remaining <= 0:
		return Decision{Reason: fmt.Sprintf("all %d writes of the last %s are used", p.opts.Writes, p.opts.Window)}
	case published == nil:
		return Decision{Publish: true, Reason: "nothing is published yet"}
	case equalInStatus(*published, fresh):
		return Decision{Reason: "the fresh plan equals the published one"}
	case !published.End().After(now.Add(lead)) && fresh.End().After(published.End()):
		return Decision{Publish: true, Reason: "the published plan ends within the lead window"}
	}
	change := p.change(now, *published, fresh, lead)
	if threshold := p.threshold(remaining); change > threshold {
		why := fmt.Sprintf("the value changed by %.1f %%, more than %.1f %%", 100*change, 100*threshold)
		return Decision{Publish: true, Reason: why}
	}
	if age := now.Sub(published.ComputedAt); age >= p.refreshAge(remaining) {
		return Decision{Publish: true, Reason: fmt.Sprintf("the published plan is %s old", age.Round(time.Second))}
	}
	return Decision{Reason: "the published plan is still good"}
}

// Affords reports whether a write for another reason than the plan, such as a changed condition,
// leaves enough writes for the plan itself: a third of them.
func (p *Publisher) Affords(now time.Time) bool {
	return p.remaining(now) > p.opts.Writes/3
}

// AffordsChange reports whether a relative change of what is served, for another reason than the
// plan, is worth a write. A change of the plan needs as much.
func (p *Publisher) AffordsChange(now time.Time, change float64) bool {
	remaining := p.remaining(now)
	return remaining > 0 && change > p.threshold(remaining)
}

// equalInStatus reports whether two plans are written in the same way in status, except for
// ComputedAt. Plans from the same end of a series are equal, so an outage of Prometheus does not
// use up the writes that the first plan after it needs.
func equalInStatus(published, fresh plan.Plan) bool {
	return published.Start.Equal(fresh.Start) && published.End().Equal(fresh.End()) &&
		slices.Equal(published.Encode().Segments, fresh.Encode().Segments)
}

// Recent lists the writes within the window at now, oldest first.
func (p *Publisher) Recent(now time.Time) []time.Time {
	p.remaining(now)
	return slices.Clone(p.writes)
}

// Wrote records a write. After a restart, record the writes that are known, such as those that
// status lists.
func (p *Publisher) Wrote(at time.Time) {
	p.remaining(at)
	p.writes = append(p.writes, at)
}

// remaining returns how many writes may still be made, and forgets those before the window.
func (p *Publisher) remaining(now time.Time) int {
	p.writes = slices.DeleteFunc(p.writes, func(at time.Time) bool { return now.Sub(at) >= p.opts.Window })
	return p.opts.Writes - len(p.writes)
}

// threshold returns the relative change that is worth a write. It rises from Threshold, when half
// of the writes remain, to 16 × Threshold for the last write. By default the last write is for
// demand that is five times as high or as low as published.
func (p *Publisher) threshold(remaining int) float64 {
	half := float64(p.opts.Writes) / 2
	if float64(remaining) >= half || half <= 1 {
		return p.opts.Threshold
	}
	scarcity := (half - float64(remaining)) / (half - 1)
	return p.opts.Threshold * math.Pow(16, scarcity)
}

// refreshAge returns how old a published plan must be before it is refreshed. At one and a half
// times Refresh, a third of the default writes stays in reserve.
func (p *Publisher) refreshAge(remaining int) time.Duration {
	switch {
	case 2*remaining >= p.opts.Writes:
		return p.opts.Refresh
	case 3*remaining >= p.opts.Writes:
		return p.opts.Refresh * 3 / 2
	case remaining > 1:
		return p.opts.Refresh * 3
	default:
		return max(p.opts.Refresh*3, p.opts.Window)
	}
}

// change returns the largest relative change of what would be served, until the end of the lead
// window or the next refresh, whichever is later. It is +Inf where only one of the plans has a
// value.
func (p *Publisher) change(now time.Time, published, fresh plan.Plan, lead time.Duration) float64 {
	until := now.Add(max(lead, p.opts.Refresh))
	step := p.opts.Refresh
	if len(fresh.Segments) > 0 && fresh.Segments[0].Step > 0 {
		step = fresh.Segments[0].Step
	}
	largest := 0.0
	for at := now; !at.After(until); at = at.Add(step) {
		was, had := served(published, at)
		is, has := served(fresh, at)
		switch {
		case had != has && (was > 0 || is > 0):
			return math.Inf(1)
		case had && has && was != is:
			largest = max(largest, math.Abs(is-was)/max(is, was))
		}
	}
	return largest
}

// served returns what a plan has served at an instant, if it is not below what is observed.
func served(p plan.Plan, at time.Time) (float64, bool) {
	v, ok := p.At(at)
	if most, bounded := p.MostAt(at); ok && bounded {
		v = min(v, most)
	}
	return v, ok
}
