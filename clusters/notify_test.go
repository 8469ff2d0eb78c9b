package clusters

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
)

// However often a Forecast there changes, the one here is told at once and then once a second, and
// is told of the last change.
func TestNotices(t *testing.T) {
	c := clocktesting.NewFakeClock(start)
	n := newNotices(c)
	told := map[types.NamespacedName]int{}
	collect := func() time.Duration {
		now, next := n.due()
		for _, key := range now {
			told[key]++
		}
		return next
	}
	n.add(here(1))
	for range 100 { // ten seconds of a change each tenth
		n.add(here(0))
		collect()
		c.Step(100 * time.Millisecond)
	}
	if told[here(0)] != 10 || told[here(1)] != 1 {
		t.Errorf("told %d and %d times, want 10 and 1", told[here(0)], told[here(1)])
	}
	if collect(); told[here(0)] != 11 {
		t.Errorf("the last change is not told")
	}
	n.add(here(0))
	if next := collect(); next != noticeEvery {
		t.Errorf("the next one waits %s, want %s", next, noticeEvery)
	}
	c.Step(noticeEvery)
	if next := collect(); next != 0 || told[here(0)] != 12 {
		t.Errorf("told %d times, with %s until the next", told[here(0)], next)
	}
	n.add(here(0))
	n.forget(here(0))
	c.Step(noticeEvery)
	if collect(); told[here(0)] != 12 || len(n.waiting)+len(n.last) != 0 {
		t.Errorf("one that is forgotten is told, or kept: %v %v", n.waiting, n.last)
	}
}

// What waits is sent when its time comes, by the clock.
func TestNoticesRun(t *testing.T) {
	c := clocktesting.NewFakeClock(start)
	n := newNotices(c)
	sent := make(chan types.NamespacedName)
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		n.run(ctx, func(_ context.Context, key types.NamespacedName) { sent <- key })
	}()
	n.add(here(0))
	<-sent
	n.add(here(0))
	eventually(t, "nothing waits for the clock", c.HasWaiters)
	c.Step(noticeEvery)
	<-sent
	cancel()
	<-ended
}
