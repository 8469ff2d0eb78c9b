package clusters

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// noticeEvery is how often a Forecast here is told of changes there, at most.
const noticeEvery = time.Second

// keys are Forecasts here.
type keys map[types.NamespacedName]struct{}

// followed says which Forecasts here follow which there, both ways.
type followed struct {
	of map[types.NamespacedName]Reference
	by map[place]map[string]keys
}

func newFollowed() followed {
	return followed{of: map[types.NamespacedName]Reference{}, by: map[place]map[string]keys{}}
}

// add lets a Forecast here follow one there, and no longer another.
func (f *followed) add(key types.NamespacedName, of Reference) {
	f.remove(key)
	f.of[key] = of
	names := f.by[of.place()]
	if names == nil {
		names = map[string]keys{}
		f.by[of.place()] = names
	}
	if names[of.Name] == nil {
		names[of.Name] = keys{}
	}
	names[of.Name][key] = struct{}{}
}

func (f *followed) remove(key types.NamespacedName) {
	of, ok := f.of[key]
	if !ok {
		return
	}
	delete(f.of, key)
	names := f.by[of.place()]
	delete(names[of.Name], key)
	if len(names[of.Name]) == 0 {
		delete(names, of.Name)
	}
	if len(names) == 0 {
		delete(f.by, of.place())
	}
}

// notices tell Forecasts here of changes, each at most once in noticeEvery. However fast another
// cluster changes, no more waits than one notice for each Forecast.
type notices struct {
	clock clock.Clock
	wake  chan struct{} // has an element when something was added

	mu      sync.Mutex
	waiting keys
	last    map[types.NamespacedName]time.Time // when each was told, while it is not long ago
}

func newNotices(c clock.Clock) *notices {
	return &notices{
		clock: c, wake: make(chan struct{}, 1), waiting: keys{}, last: map[types.NamespacedName]time.Time{},
	}
}

// add lets Forecasts be told. It does not wait.
func (n *notices) add(all ...types.NamespacedName) {
	n.mu.Lock()
	before := len(n.waiting)
	for _, key := range all {
		n.waiting[key] = struct{}{}
	}
	added := len(n.waiting) > before
	n.mu.Unlock()
	if !added {
		return
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// forget drops what is known of a Forecast.
func (n *notices) forget(key types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, key)
}

// due takes the Forecasts that are told now, and returns how long the next one waits; 0 for none.
func (n *notices) due() (now []types.NamespacedName, next time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.clock.Now()
	for key, told := range n.last {
		if age := at.Sub(told); age < 0 || age >= noticeEvery {
			delete(n.last, key)
		}
	}
	for key := range n.waiting {
		if told, ok := n.last[key]; ok {
			if wait := told.Add(noticeEvery).Sub(at); next == 0 || wait < next {
				next = wait
			}
			continue
		}
		delete(n.waiting, key)
		n.last[key] = at
		now = append(now, key)
	}
	return now, next
}

// run calls send for what is due until ctx ends.
func (n *notices) run(ctx context.Context, send func(context.Context, types.NamespacedName)) {
	for ctx.Err() == nil {
		now, next := n.due()
		for _, key := range now {
			send(ctx, key)
		}
		n.wait(ctx, next)
	}
}

// wait waits until something is added, or for a time; 0 is without end.
func (n *notices) wait(ctx context.Context, most time.Duration) {
	var later <-chan time.Time
	if most > 0 {
		timer := n.clock.NewTimer(most)
		defer timer.Stop()
		later = timer.C()
	}
	select {
	case <-ctx.Done():
	case <-n.wake:
	case <-later:
	}
}
