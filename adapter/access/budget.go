package access

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

// rate is reviews per second, and how many may come at once.
type rate struct {
	qps   float32
	burst int
}

// budget bounds the reviews of one kind of caller: of each caller, of all of them, and of those
// that wait for an answer.
type budget struct {
	each  rate
	all   flowcontrol.PassiveRateLimiter // nil: no bound
	open  chan struct{}                  // nil: no bound; full: the most reviews wait for an answer
	clock clock.Clock

	mu      sync.Mutex
	callers *lru.Cache // from the caller's name to its flowcontrol.RateLimiter
}

// newBudget returns a budget that remembers up to [maxCallers] callers. A caller that is forgotten
// starts with a full burst, so only the bounds for all of them hold against somebody who has many
// names. The zero rate for all, and 0 for open, are no bound.
func newBudget(each, all rate, open int, c clock.Clock) *budget {
	b := &budget{each: each, clock: c, callers: lru.New(maxCallers)}
	if all != (rate{}) {
		b.all = flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(all.qps, all.burst, c)
	}
	if open > 0 {
		b.open = make(chan struct{}, open)
	}
	return b
}

// of returns the limiter of a caller.
func (b *budget) of(caller string) flowcontrol.RateLimiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l, ok := b.callers.Get(caller); ok {
		return l.(flowcontrol.RateLimiter)
	}
	l := flowcontrol.NewTokenBucketRateLimiterWithClock(b.each.qps, b.each.burst, b.clock)
	b.callers.Add(caller, l)
	return l
}

// take reports whether the caller may have a review now. Call done when the review has ended. A
// caller that is over its own budget takes nothing from the others.
func (b *budget) take(caller string) (done func(), ok bool) {
	if b.open != nil {
		select {
		case b.open <- struct{}{}:
		default:
			return nil, false
		}
	}
	done = func() {
		if b.open != nil {
			<-b.open
		}
	}
	if !b.of(caller).TryAccept() || b.all != nil && !b.all.TryAccept() {
		done()
		return nil, false
	}
	return done, true
}

// wait is take for a caller that may wait. It fails at once where the wait would be longer than
// most, so that few requests of one caller can be waiting.
func (b *budget) wait(ctx context.Context, caller string, most time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return b.of(caller).Wait(ctx) == nil
}
