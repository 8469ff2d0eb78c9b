package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"headstart.dev/headstart/history"
)

// upstream answers polls: by source, until it is told not to.
type upstream struct {
	mu    sync.Mutex
	polls map[string]int // by source
	hung  map[string]bool
}

func (u *upstream) latest(ctx context.Context, _ string, q query, at time.Time) (float64, time.Time, error) {
	u.mu.Lock()
	u.polls[q.source]++
	hung := u.hung[q.source]
	u.mu.Unlock()
	if hung {
		<-ctx.Done()
		return 0, time.Time{}, ctx.Err()
	}
	return 1, at, nil
}

func (u *upstream) count(source string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.polls[source]
}

func named(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

// eventually fails the test where cond does not hold in the end; nothing is measured by the time it takes.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came about: %s", what)
		}
	}
}

func TestHungSourceCostsOthersNothing(t *testing.T) {
	u := &upstream{polls: map[string]int{}, hung: map[string]bool{"hung": true}}
	c := clocktesting.NewFakeClock(epoch)
	o := NewObserver(nil, 30*time.Second, c, slog.New(slog.DiscardHandler))
	o.latestOf = u.latest
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = o.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	for i := range 25 {
		o.follow(named(fmt.Sprint("hung", i)), query{expr: "q", source: "hung"})
	}
	advance := func(d time.Duration) func() bool {
		return func() bool { c.Step(d); return false }
	}
	eventually(t, "the hung source is asked by all of its workers", func() bool {
		return u.count("hung") >= pollersPerSource || advance(100*time.Millisecond)()
	})
	o.follow(named("good"), query{expr: "q", source: "good"})
	eventually(t, "three polls of the good source", func() bool {
		return u.count("good") >= 3 || advance(time.Second)()
	})
	if got := u.count("hung"); got > pollersPerSource {
		t.Errorf("%d polls of the hung source ended, so the test holds nothing", got)
	}
}

func TestLanesEndWithTheirForecasts(t *testing.T) {
	o := polled(nil)
	o.follow(named("a"), query{expr: "q", source: "one"})
	o.follow(named("b"), query{expr: "q", source: "one"})
	o.follow(named("a"), query{expr: "q", source: "two"})
	o.forget(named("b"))
	if len(o.lanes) != 1 || o.lanes["two"] == nil || o.lanes["two"].forecasts != 1 {
		t.Errorf("lanes = %v, want the one that is in use", o.lanes)
	}
}

func TestSlowQueryIsPolledMoreSeldom(t *testing.T) {
	const interval = 30 * time.Second
	timeout := func(context.Context, string, query, time.Time) (float64, time.Time, error) {
		return 0, time.Time{}, context.DeadlineExceeded
	}
	cases := map[string]struct {
		reason   string
		err      func(context.Context, string, query, time.Time) (float64, time.Time, error)
		neighbor bool // another query on the source has an answer meanwhile
		least    time.Duration
	}{
		"slow beside others": {"it would keep the workers from them", timeout, true, 7 * interval},
		"the whole source":   {"its return shall be seen at once", timeout, false, 0},
		"refused beside them": {"a quick error keeps nobody", func(context.Context, string, query, time.Time) (float64, time.Time, error) {
			return 0, time.Time{}, errors.New("no")
		}, true, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := clocktesting.NewFakeClock(epoch)
			o := NewObserver(nil, interval, c, slog.New(slog.DiscardHandler))
			slow, quick := query{expr: "slow", source: "s"}, query{expr: "quick", source: "s"}
			o.follow(named("slow"), slow)
			o.follow(named("quick"), quick)
			answer := func(_ context.Context, _ string, _ query, at time.Time) (float64, time.Time, error) {
				return 1, at, nil
			}
			for range 4 {
				o.latestOf = func(ctx context.Context, ns string, q query, at time.Time) (float64, time.Time, error) {
					c.Step(20 * time.Second)
					if tc.neighbor {
						o.latestOf = answer
						o.poll(ctx, named("quick"), quick)
					}
					return tc.err(ctx, ns, q, at)
				}
				o.poll(t.Context(), named("slow"), slow)
			}
			switch got := o.pause(named("slow")); {
			case tc.least > 0 && got < tc.least:
				t.Errorf("polled again after %s, want %s at least: %s", got, tc.least, tc.reason)
			case tc.least == 0 && got > interval*11/10:
				t.Errorf("polled again after %s, want the interval: %s", got, tc.reason)
			}
			if tc.neighbor == false && !errors.Is(o.floorOf(named("slow")).err, history.ErrTimeout) {
				t.Errorf("error = %v, want a time-out that says what to do", o.floorOf(named("slow")).err)
			}
			o.latestOf = answer
			o.poll(t.Context(), named("slow"), slow)
			if got := o.pause(named("slow")); got > interval*11/10 {
				t.Errorf("polled again after %s once it had an answer, want the interval", got)
			}
		})
	}
}

func TestPollsAreShorterThanTheInterval(t *testing.T) {
	if o := polled(nil); o.pollTimeout() >= o.interval*19/20 {
		t.Errorf("a poll may take %s of an interval of %s: the next one would be late", o.pollTimeout(), o.interval)
	}
}
