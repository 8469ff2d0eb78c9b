package fairqueue

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"pgregory.net/rapid"
)

const (
	workers  = 4
	halfLife = time.Minute
)

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func item(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// source runs workers in simulated time. Each item takes its own time.
type source struct {
	*shares
	now  time.Time
	took func(types.NamespacedName) time.Duration
	ends map[types.NamespacedName]time.Time // of the items that a worker has
}

func newSource(took func(types.NamespacedName) time.Duration) *source {
	ends := map[types.NamespacedName]time.Time{}
	return &source{shares: newShares(workers, halfLife), now: epoch, took: took, ends: ends}
}

// run lets d pass, second by second. begun is called for each item that a worker takes.
func (s *source) run(d time.Duration, begun func(types.NamespacedName)) {
	for end := s.now.Add(d); ; s.now = s.now.Add(time.Second) {
		for it, at := range s.ends {
			if !at.After(s.now) {
				delete(s.ends, it)
				s.done(it, s.now)
			}
		}
		for len(s.ends) < workers {
			it, ok := s.pick(s.now)
			if !ok {
				break
			}
			s.ends[it] = s.now.Add(s.took(it))
			begun(it)
		}
		if !s.now.Before(end) {
			return
		}
	}
}

// Whatever other namespaces enqueue, and however long it takes up to a bound, a namespace that
// needs little waits for at most the item that ends next and the others' turns.
func TestNoNamespaceWaitsForWhatOthersEnqueue(t *testing.T) {
	const longest = 22 * time.Second
	rapid.Check(t, func(rt *rapid.T) {
		others := rapid.IntRange(1, 6).Draw(rt, "others")
		took := func(it types.NamespacedName) time.Duration {
			if it.Namespace == "modest" {
				return time.Second
			}
			return time.Second + time.Duration(len(it.Name)*7919+int(it.Name[len(it.Name)-1])*31)%longest
		}
		s := newSource(took)
		var asked, slowest time.Time
		waited := time.Duration(0)
		begun := func(it types.NamespacedName) {
			if it.Namespace == "modest" {
				if w := s.now.Sub(asked); w > waited {
					waited, slowest = w, asked
				}
				asked = time.Time{}
			}
		}
		n := 0
		for range rapid.IntRange(5, 40).Draw(rt, "rounds") {
			for range rapid.IntRange(0, 60).Draw(rt, "enqueued") {
				n++
				s.add(item(fmt.Sprint("other", rapid.IntRange(1, others).Draw(rt, "namespace")), fmt.Sprint(n)), s.now)
			}
			if asked.IsZero() {
				asked = s.now
				s.add(item("modest", fmt.Sprint("poll", n)), s.now)
			}
			s.run(time.Duration(rapid.IntRange(1, 60).Draw(rt, "pause"))*time.Second, begun)
		}
		s.run(time.Hour, begun)
		// One turn for each other namespace whose use is as small at that moment, and the work that
		// is under way.
		if most := time.Duration(others/(workers/2)+1) * longest; waited > most {
			rt.Fatalf("it waited for %s from %s on, beside %d namespaces; want at most %s",
				waited, slowest.Sub(epoch), others, most)
		}
	})
}

// Also a namespace that has used much gets its turn, after a time that its own use and the number
// of namespaces decide.
func TestHeavyNamespaceIsNotStarved(t *testing.T) {
	const longest = 20 * time.Second
	for _, others := range []int{1, 3, 10} {
		t.Run(fmt.Sprint(others), func(t *testing.T) {
			s := newSource(func(types.NamespacedName) time.Duration { return longest })
			for i := range 1000 {
				s.add(item("heavy", fmt.Sprint(i)), s.now)
			}
			last := s.now
			waited := time.Duration(0)
			begun := func(it types.NamespacedName) {
				if it.Namespace == "heavy" {
					waited = max(waited, s.now.Sub(last))
					last = s.now
				}
			}
			s.run(30*time.Minute, begun)
			for i := range 100_000 {
				s.add(item(fmt.Sprint("other", i%others), fmt.Sprint(i)), s.now)
			}
			s.run(30*time.Minute, begun)
			most := time.Duration(float64(halfLife)*math.Log2(1+float64(others+1))) + time.Duration(others+2)*longest
			if waited > most {
				t.Errorf("it waited for %s beside %d namespaces, want at most %s", waited, others, most)
			}
		})
	}
}

func TestTimeIsSharedEqually(t *testing.T) {
	used := map[string]time.Duration{}
	took := func(it types.NamespacedName) time.Duration {
		if it.Namespace == "slow" {
			return 20 * time.Second
		}
		return 2 * time.Second
	}
	s := newSource(took)
	for i := range 10_000 {
		s.add(item("slow", fmt.Sprint(i)), s.now)
		s.add(item("quick", fmt.Sprint(i)), s.now)
		s.add(item("third", fmt.Sprint(i)), s.now)
	}
	s.run(time.Hour, func(it types.NamespacedName) { used[it.Namespace] += took(it) })
	for name, got := range used {
		if third := workers * time.Hour / 3; got < third*9/10 || got > third*11/10 {
			t.Errorf("%s had %s of worker time, want a third of 4 h", name, got)
		}
	}
}

func TestAWorkerStaysFreeForOthers(t *testing.T) {
	s := newSource(func(types.NamespacedName) time.Duration { return time.Hour })
	for i := range 100 {
		s.add(item("greedy", fmt.Sprint(i)), s.now)
	}
	s.run(time.Minute, func(types.NamespacedName) {})
	if n := len(s.ends); n != workers-1 {
		t.Errorf("a namespace alone has %d of %d workers, want all but one", n, workers)
	}
	s.add(item("modest", "a"), s.now)
	if it, ok := s.pick(s.now); !ok || it.Namespace != "modest" {
		t.Errorf("the next item is %v, %v, want that of the namespace that has just come", it, ok)
	}
}

func TestIdleNamespacesAreForgotten(t *testing.T) {
	s := newSource(func(types.NamespacedName) time.Duration { return time.Second })
	for i := range 100 {
		s.add(item(fmt.Sprint(i), "a"), s.now)
	}
	s.run(time.Hour, func(types.NamespacedName) {})
	s.add(item("last", "a"), s.now)
	s.run(time.Second, func(types.NamespacedName) {})
	if n := len(s.namespaces); n != 1 {
		t.Errorf("%d namespaces are kept after an hour, want the one that is in use", n)
	}
}

// TestQueue holds the contract of a work queue: an item waits once, has one worker at a time, and
// comes again if it was added meanwhile.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(workers, halfLife, clock.RealClock{})
		q.Add(item("a", "1"))
		q.Add(item("a", "1"))
		if n := q.Len(); n != 1 {
			t.Errorf("%d items wait, want 1", n)
		}
		got, _ := q.Get()
		q.Add(got)
		if n := q.Len(); n != 0 {
			t.Errorf("%d items wait while a worker has it, want 0", n)
		}
		q.Done(got)
		q.Done(got)
		if again, _ := q.Get(); again != got {
			t.Errorf("got %v, want %v again", again, got)
		}
		q.Add(item("b", "2"))
		q.ShutDown()
		q.Add(item("c", "3"))
		if it, shutdown := q.Get(); shutdown || it != item("b", "2") {
			t.Errorf("got %v, %v, want the item that waits", it, shutdown)
		}
		if _, shutdown := q.Get(); !shutdown || !q.ShuttingDown() {
			t.Error("an empty queue does not end")
		}
		drained := false
		go func() { q.ShutDownWithDrain(); drained = true }()
		synctest.Wait()
		if drained {
			t.Error("drained while workers have items")
		}
		q.Done(got)
		q.Done(item("b", "2"))
		synctest.Wait()
		if !drained {
			t.Error("not drained")
		}
	})
}

func TestQueueIsSafeForManyWorkers(t *testing.T) {
	q := New(workers, halfLife, clock.RealClock{})
	var mu sync.Mutex
	busy, seen := map[types.NamespacedName]bool{}, map[types.NamespacedName]bool{}
	var all, adders sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				it, shutdown := q.Get()
				if shutdown {
					return
				}
				mu.Lock()
				if busy[it] {
					t.Errorf("two workers have %v", it)
				}
				busy[it], seen[it] = true, true
				mu.Unlock()
				mu.Lock()
				busy[it] = false
				mu.Unlock()
				q.Done(it)
			}
		})
	}
	for a := range 4 {
		adders.Go(func() {
			for i := range 1000 {
				q.Add(item(fmt.Sprint("n", (a+i)%7), fmt.Sprint(i%50)))
			}
		})
	}
	adders.Wait()
	q.ShutDown()
	all.Wait()
	if len(seen) != 350 {
		t.Errorf("%d items were worked on, want 350", len(seen))
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, namespaces := range []int{1, 50, 1000} {
		b.Run(fmt.Sprint(namespaces, " namespaces"), func(b *testing.B) {
			q := New(workers, halfLife, clock.RealClock{})
			for i := range 10_000 {
				q.Add(item(fmt.Sprint(i%namespaces), fmt.Sprint(i)))
			}
			b.ReportAllocs()
			for b.Loop() {
				it, _ := q.Get()
				q.Done(it)
				q.Add(it)
			}
		})
	}
}
