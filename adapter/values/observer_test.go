package values

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"headstart.dev/headstart/history"
)

// upstream is a set of Prometheus sources. Those in hung never answer.
type upstream struct {
	mu    sync.Mutex
	polls map[string]int // by source
	hung  map[string]bool
}

func (u *upstream) query(ctx context.Context, _ string, q Query, at time.Time) (history.Sample, error) {
	u.mu.Lock()
	u.polls[q.Source]++
	hung := u.hung[q.Source]
	u.mu.Unlock()
	if hung {
		<-ctx.Done()
		return history.Sample{}, ctx.Err()
	}
	return history.Sample{Value: 1, At: at}, nil
}

func (u *upstream) count(source string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.polls[source]
}

// eventually waits until cond holds, for 20 s of the real clock at most.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestHungSourceCostsOthersNothing(t *testing.T) {
	u := &upstream{polls: map[string]int{}, hung: map[string]bool{"hung": true}}
	c := clocktesting.NewFakeClock(epoch)
	o := NewObserver(nil, 30*time.Second, c, slog.New(slog.DiscardHandler))
	o.query = u.query
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = o.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	for i := range 25 {
		o.follow(named(fmt.Sprint("hung", i)), Query{Expr: "q", Source: "hung"})
	}
	advance := func(d time.Duration) func() bool {
		return func() bool { c.Step(d); return false }
	}
	eventually(t, "the hung source is asked by all of its workers but the one that stays free for other "+
		"namespaces", func() bool {
		return u.count("hung") >= workersPerSource-1 || advance(100*time.Millisecond)()
	})
	o.follow(named("good"), Query{Expr: "q", Source: "good"})
	eventually(t, "three polls of the good source", func() bool {
		return u.count("good") >= 3 || advance(time.Second)()
	})
	if got := u.count("hung"); got > workersPerSource-1 {
		t.Errorf("%d polls of the hung source ended, so the test holds nothing", got)
	}
}

func TestQueuesEndWithTheirForecasts(t *testing.T) {
	o := newTestObserver(nil)
	o.follow(named("a"), Query{Expr: "q", Source: "one"})
	o.follow(named("b"), Query{Expr: "q", Source: "one"})
	o.follow(named("a"), Query{Expr: "q", Source: "two"})
	o.forget(named("b"))
	if len(o.sources) != 1 || o.sources["two"] == nil || o.sources["two"].forecasts != 1 {
		t.Errorf("queues = %v, want the one that is in use", o.sources)
	}
}

func TestSlowQueryIsPolledMoreSeldom(t *testing.T) {
	const interval = 30 * time.Second
	timeout := func(context.Context, string, Query, time.Time) (history.Sample, error) {
		return history.Sample{}, context.DeadlineExceeded
	}
	refuse := func(context.Context, string, Query, time.Time) (history.Sample, error) {
		return history.Sample{}, errors.New("no")
	}
	cases := map[string]struct {
		reason string
		slow   queryFunc
		others bool // another query on the source has an answer meanwhile
		least  time.Duration
	}{
		"slow beside others":  {"it would keep the workers busy", timeout, true, 7 * interval},
		"the whole source":    {"its return should be seen at once", timeout, false, 0},
		"refused beside them": {"a quick error delays no other query", refuse, true, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := clocktesting.NewFakeClock(epoch)
			o := NewObserver(nil, interval, c, slog.New(slog.DiscardHandler))
			slow, quick := Query{Expr: "slow", Source: "s"}, Query{Expr: "quick", Source: "s"}
			o.follow(named("slow"), slow)
			o.follow(named("quick"), quick)
			answer := func(_ context.Context, _ string, _ Query, at time.Time) (history.Sample, error) {
				return history.Sample{Value: 1, At: at}, nil
			}
			for range 4 {
				o.query = func(ctx context.Context, ns string, q Query, at time.Time) (history.Sample, error) {
					c.Step(20 * time.Second)
					if tc.others {
						o.query = answer
						o.poll(ctx, named("quick"), quick)
					}
					return tc.slow(ctx, ns, q, at)
				}
				o.poll(t.Context(), named("slow"), slow)
			}
			switch got := o.nextDelay(named("slow")); {
			case tc.least > 0 && got < tc.least:
				t.Errorf("polled again after %s, want %s at least: %s", got, tc.least, tc.reason)
			case tc.least == 0 && got > interval*11/10:
				t.Errorf("polled again after %s, want the interval: %s", got, tc.reason)
			}
			if !tc.others && !errors.Is(o.LastPoll(named("slow")).Err, history.ErrTimeout) {
				t.Errorf("error = %v, want a time-out that says what to do", o.LastPoll(named("slow")).Err)
			}
			o.query = answer
			o.poll(t.Context(), named("slow"), slow)
			if got := o.nextDelay(named("slow")); got > interval*11/10 {
				t.Errorf("polled again after %s once it had an answer, want the interval", got)
			}
		})
	}
}

func TestPollsAreShorterThanTheInterval(t *testing.T) {
	if o := newTestObserver(nil); o.pollTimeout() >= o.interval*19/20 {
		t.Errorf("a poll may take %s of an interval of %s: the next one would be late", o.pollTimeout(), o.interval)
	}
}

// What cannot be demand never becomes the floor, and an old sample is as old as it says.
func TestAbsurdPolls(t *testing.T) {
	for name, tc := range map[string]struct {
		value float64
		late  time.Duration // how much before the asked instant the sample is
		fails bool
		age   time.Duration
	}{
		"right":            {value: 3},
		"zero":             {value: 0},
		"a minute old":     {value: 3, late: time.Minute, age: time.Minute},
		"a second too new": {value: 3, late: -time.Second},
		"NaN":              {value: math.NaN(), fails: true},
		"infinite":         {value: math.Inf(1), fails: true},
		"negative":         {value: -1, fails: true},
		"1e308":            {value: 1e308, fails: true},
		"above the most":   {value: history.MaxDemand * 1.01, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := newTestObserver(nil)
			o.query = func(_ context.Context, _ string, _ Query, at time.Time) (history.Sample, error) {
				return history.Sample{Value: tc.value, At: at.Add(-tc.late)}, nil
			}
			q := Query{Expr: "q", Source: "s", Settle: 30 * time.Second}
			o.follow(named("fc"), q)
			o.poll(t.Context(), named("fc"), q)
			got, at := o.latest(named("fc"))
			if tc.fails {
				if !math.IsNaN(got) || o.LastPoll(named("fc")).Err == nil {
					t.Errorf("%v is the floor", got)
				}
				return
			}
			if got != tc.value || !at.Equal(epoch.Add(-tc.age)) {
				t.Errorf("got %v of %s, want %v, %s before the poll", got, at, tc.value, tc.age)
			}
		})
	}
}

// An answer in part may be too low: it raises the floor and does not lower it, until the source has
// answered so for long.
func TestPartialPolls(t *testing.T) {
	c := clocktesting.NewFakeClock(epoch)
	o := NewObserver(nil, 30*time.Second, c, slog.New(slog.DiscardHandler))
	var answer history.Sample
	o.query = func(_ context.Context, _ string, _ Query, at time.Time) (history.Sample, error) {
		answer.At = at
		return answer, nil
	}
	q := Query{Expr: "q", Source: "s"}
	o.follow(named("fc"), q)
	for _, step := range []struct {
		reason  string
		after   time.Duration
		value   float64
		partial bool
		want    float64 // the floor; -1 is none
		fails   bool
	}{
		{"nothing is known yet, and this may be too low", 0, 5, true, -1, true},
		{"a whole answer", 30 * time.Second, 10, false, 10, false},
		{"a lower one in part", 30 * time.Second, 5, true, 10, true},
		{"a higher one in part", 30 * time.Second, 12, true, 12, false},
		{"a lower one again", 30 * time.Second, 5, true, 12, true},
		{"after half an hour", history.PartialGrace, 5, true, 5, false},
		{"and from then on", 30 * time.Second, 4, true, 4, false},
		{"a whole answer ends it", 30 * time.Second, 10, false, 10, false},
		{"so a lower one in part does not count", 30 * time.Second, 5, true, 10, true},
	} {
		c.Step(step.after)
		answer = history.Sample{Value: step.value, Partial: step.partial, Warnings: []string{"store-1 is down"}}
		o.poll(t.Context(), named("fc"), q)
		got, _ := o.latest(named("fc"))
		if math.IsNaN(got) {
			got = -1
		}
		err := o.LastPoll(named("fc")).Err
		if got != step.want || (err != nil) != step.fails {
			t.Errorf("%s: the floor is %v, %v", step.reason, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "store-1 is down") {
			t.Errorf("%s: no warning in %v", step.reason, err)
		}
	}
}
