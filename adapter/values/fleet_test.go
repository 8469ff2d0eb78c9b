package values

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner/plan"
)

// fleet is a number of replicas that share Forecasts, and tell each other every five seconds.
type fleet struct {
	replicas []*fleetReplica
	keys     []types.NamespacedName

	mu     sync.Mutex
	polls  int
	demand float64
	takes  time.Duration // a poll
	err    error
}

type fleetReplica struct {
	*Plans
	changed chan event.GenericEvent
	dead    bool
	gone    bool // dead, and the others know
	deaf    bool // hears nothing of the others
	seenAt  time.Time
	stop    func()
}

const fleetRenew = 5 * time.Second

// newFleet starts replicas that all follow n Forecasts of a mode. They observe a demand of 7, and have
// a plan of 1: a replica that serves 1 has lost the floor.
func newFleet(t *testing.T, mode v1alpha1.ForecastMode, replicas, n int) *fleet {
	t.Helper()
	f := &fleet{demand: 7}
	for i := range replicas {
		o := NewObserver(nil, 30*time.Second, clock.RealClock{}, slog.New(slog.DiscardHandler))
		o.query = f.query
		r := &fleetReplica{Plans: NewPlans(o, parse), changed: make(chan event.GenericEvent, 1)}
		o.Share(func(key types.NamespacedName) bool { return f.owner(key) == i }, r.changed)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = o.Start(ctx) }()
		r.stop = func() { cancel(); <-ended }
		f.replicas = append(f.replicas, r)
	}
	day := plan.Segment{Step: 24 * time.Hour, Values: []float64{1, 1}}
	encoded := plan.Plan{ComputedAt: time.Now(), Start: time.Now(), Segments: []plan.Segment{day}}.Encode()
	for i := range n {
		fc := forecast()
		fc.Name, fc.Spec.Mode, fc.Status.Plan = fmt.Sprint("fc-", i), mode, &encoded
		f.keys = append(f.keys, named(fc.Name))
		for _, r := range f.replicas {
			r.store(fc)
		}
	}
	return f
}

func (f *fleet) query(_ context.Context, _ string, _ Query, at time.Time) (history.Sample, error) {
	f.mu.Lock()
	takes := f.takes
	f.mu.Unlock()
	time.Sleep(takes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polls++
	return history.Sample{Value: f.demand, At: at}, f.err
}

// owner is the number of the replica that owns a Forecast.
func (f *fleet) owner(key types.NamespacedName) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var alive []int
	for i, r := range f.replicas {
		if !r.gone {
			alive = append(alive, i)
		}
	}
	return alive[int(key.Name[len(key.Name)-1])%len(alive)]
}

// renew lets every replica that is alive tell the others.
func (f *fleet) renew(t *testing.T) {
	t.Helper()
	now := time.Now()
	for i, from := range f.replicas {
		for j, to := range f.replicas {
			if i == j || from.dead || to.dead || to.deaf || to.seenAt.IsZero() {
				continue
			}
			if err := to.demand.Take(from.demand.Note(), to.seenAt.Add(-fleetRenew)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, r := range f.replicas {
		r.seenAt = now
	}
}

// run lets time pass. Every replica that is alive is asked for every Forecast every 15 s, and gives
// each answer to check.
func (f *fleet) run(t *testing.T, d time.Duration, check func(adapter.Value, error)) {
	t.Helper()
	for began := time.Now(); time.Since(began) < d; time.Sleep(fleetRenew) {
		f.renew(t)
		if int(time.Since(began)/fleetRenew)%3 != 0 {
			continue
		}
		for _, r := range f.replicas {
			for _, key := range f.keys {
				if !r.dead {
					check(r.Value(key.Namespace, key.Name, time.Now()))
				}
			}
		}
	}
}

// slow makes polls take so long.
func (f *fleet) slow(takes time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takes = takes
}

// foreign returns a Forecast that replica i does not own.
func (f *fleet) foreign(i int) types.NamespacedName {
	for _, key := range f.keys {
		if f.owner(key) != i {
			return key
		}
	}
	return types.NamespacedName{}
}

func (f *fleet) takePolls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.polls
	f.polls = 0
	return n
}

func (f *fleet) set(demand float64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.demand, f.err = demand, err
}

// All replicas are asked for everything, and all of them together poll each Forecast once per
// interval.
func TestReplicasShareThePolls(t *testing.T) {
	for _, replicas := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(replicas, " replicas"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, v1alpha1.ForecastActive, replicas, 30)
				time.Sleep(2 * time.Second)
				f.run(t, time.Minute, func(adapter.Value, error) {}) // Until all have heard of the others.
				f.takePolls()
				f.set(8, nil)
				const intervals = 20
				wrong := 0
				f.run(t, intervals*30*time.Second, func(v adapter.Value, err error) {
					if err != nil || v.Milli != 7000 && v.Milli != 8000 {
						wrong++
					}
				})
				if wrong > 0 {
					t.Errorf("%d wrong answers", wrong)
				}
				if got := float64(f.takePolls()) / 30 / intervals; got < 0.95 || got > 1.05 {
					t.Errorf("%.2f polls of each Forecast per interval, want 1", got)
				}
				f.run(t, 15*time.Second, func(v adapter.Value, err error) {
					if err != nil || v.Milli != 8000 {
						t.Errorf("got %+v, %v, want what is observed now", v, err)
					}
				})
				f.end()
			})
		})
	}
}

func (f *fleet) end() {
	for _, r := range f.replicas {
		if !r.dead {
			r.stop()
		}
	}
}

// A replica dies: nobody who asks another one notices, and from then on the others poll what it did.
func TestDeathOfAReplicaKeepsTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, v1alpha1.ForecastActive, 3, 30)
		time.Sleep(2 * time.Second)
		f.run(t, 2*time.Minute, func(adapter.Value, error) {})
		right := func(v adapter.Value, err error) {
			if err != nil || v.Milli != 7000 {
				t.Errorf("got %+v, %v, want what is observed", v, err)
			}
		}
		f.replicas[0].stop()
		f.replicas[0].dead = true
		f.run(t, 20*time.Second, right)
		f.mu.Lock()
		f.replicas[0].gone = true // Its Lease has ended.
		f.mu.Unlock()
		for _, r := range f.replicas[1:] {
			r.changed <- event.GenericEvent{}
		}
		f.run(t, time.Minute, right)
		f.takePolls()
		f.run(t, 10*time.Minute, right)
		if got := float64(f.takePolls()) / 30 / 20; got < 0.95 || got > 1.05 {
			t.Errorf("%.2f polls of each Forecast per interval, want 1", got)
		}
		f.end()
	})
}

// A replica that hears nothing of the owner answers with what it polls itself. Its first answer
// waits for that, but not for long. When nobody asks any more, it stops.
func TestReplicaThatHearsNothingPollsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, v1alpha1.ForecastActive, 2, 10)
		f.replicas[1].deaf = true
		time.Sleep(2 * time.Second)
		f.slow(200 * time.Millisecond)
		began := time.Now()
		if v, err := f.replicas[1].Value("shop", f.foreign(1).Name, time.Now()); err != nil || v.Milli != 7000 {
			t.Errorf("got %+v, %v, want what is observed", v, err)
		}
		if took := time.Since(began); took < 200*time.Millisecond || took > wakeWait {
			t.Errorf("the first answer took %s, and a poll takes 200 ms", took)
		}
		f.slow(10 * time.Second)
		waited := time.Now()
		var errs, answers int
		count := func(v adapter.Value, err error) {
			var unavailable *adapter.Unavailable
			switch {
			case err == nil && v.Milli == 7000:
				answers++
			case errors.As(err, &unavailable) && unavailable.Reason == adapter.ReasonNoObservation:
				errs++
			default:
				t.Errorf("got %+v, %v", v, err)
			}
		}
		f.run(t, 14*time.Second, count)
		if errs == 0 {
			t.Error("no answer was an error, although polls take longer than an answer waits")
		}
		if took := time.Since(waited); took > 14*time.Second+fleetRenew+2*wakeWait {
			t.Errorf("the answers took %s, and only the first one may wait", took)
		}
		f.slow(0)
		errs = 0
		f.run(t, time.Minute, func(adapter.Value, error) {})
		f.run(t, 10*time.Minute, count)
		if errs != 0 {
			t.Errorf("%d errors while every replica is asked every 15 s", errs)
		}
		f.takePolls()
		f.run(t, 10*time.Minute, count)
		deafShare := 0
		for _, key := range f.keys {
			if f.owner(key) == 0 {
				deafShare++
			}
		}
		want := float64(len(f.keys)+deafShare) * 20
		if got := float64(f.takePolls()); math.Abs(got-want) > 0.1*want {
			t.Errorf("%g polls, want %g: one by the owner of each, and one by the replica that hears nothing", got, want)
		}
		time.Sleep(askedFor + time.Minute)
		f.takePolls()
		time.Sleep(10 * time.Minute)
		if got, want := float64(f.takePolls()), float64(len(f.keys)*20); math.Abs(got-want) > 0.1*want {
			t.Errorf("%g polls while nobody asks, want those of the owners, %g", got, want)
		}
		f.end()
	})
}

// A replica that hears nothing of the owner any more polls for itself before its floor is dropped.
func TestOwnerThatFallsSilentKeepsTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, v1alpha1.ForecastActive, 2, 10)
		time.Sleep(2 * time.Second)
		f.run(t, 2*time.Minute, func(adapter.Value, error) {})
		f.replicas[1].deaf = true
		f.run(t, 10*time.Minute, func(v adapter.Value, err error) {
			if err != nil || v.Milli != 7000 {
				t.Errorf("got %+v, %v, want what is observed", v, err)
			}
		})
		f.end()
	})
}

// A replica that cannot poll, and hears nothing, never serves an old value as a new one.
func TestReplicaNeverServesAnOldObservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, v1alpha1.ForecastDryRun, 2, 10)
		time.Sleep(2 * time.Second)
		f.run(t, 2*time.Minute, func(adapter.Value, error) {})
		f.set(0, errors.New("down"))
		f.run(t, 2*time.Minute, func(adapter.Value, error) {})
		f.run(t, 10*time.Minute, func(v adapter.Value, err error) {
			if err == nil {
				t.Fatalf("%+v is served, minutes after the last poll that succeeded", v)
			}
		})
		f.end()
	})
}

// What another replica says counts as old as it can be at most, and never replaces a newer poll.
func TestTake(t *testing.T) {
	o := newTestObserver(map[string]float64{"q": 5})
	q := Query{Expr: "q", Source: "default"}
	o.follow(named("fc"), q)
	take := func(value float64, age, since time.Duration) {
		t.Helper()
		note := encodeNote([]entry{{newQueryID(named("fc"), q), value, age}, {value: 9}})
		if err := o.Take(note, epoch.Add(-since)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(value float64, age time.Duration) {
		t.Helper()
		if got, at := o.latest(named("fc")); got != value || !at.Equal(epoch.Add(-age)) {
			t.Errorf("got %g of %s, want %g, %s old", got, at, value, age)
		}
	}
	take(3, 20*time.Second, 10*time.Second)
	want(3, 30*time.Second)
	take(4, 40*time.Second, 10*time.Second)
	want(3, 30*time.Second)
	o.poll(t.Context(), named("fc"), q)
	take(3, time.Second, time.Second)
	want(5, 0)
	if note := o.Note(); note != "" {
		t.Errorf("a replica that is alone has the note %q", note)
	}
	if err := o.Take("what?", epoch); err == nil {
		t.Error("a note that is none is taken")
	}
}
