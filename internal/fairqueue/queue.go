// Package fairqueue is a work queue that shares workers between namespaces by the time that their
// items take.
//
// A [Queue] hands out the next item of the namespace that has used the least worker time lately.
// Use counts with a half-life, and work that has not ended counts too. No namespace can have all
// the workers: beside others it gets half of them. So how long a namespace waits depends on what it
// uses itself, on the longest item and on the number of namespaces, but not on how many items
// others enqueue.
package fairqueue

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
)

// Queue is a [workqueue.TypedInterface] whose items are objects by namespace and name. As there, an
// item waits once however often it is added, and one that is added while a worker has it waits
// again after Done.
type Queue struct {
	clock clock.PassiveClock

	mu     sync.Mutex
	change *sync.Cond
	shares *shares
	dirty  map[types.NamespacedName]bool // waits, or is to wait again after Done
	busy   map[types.NamespacedName]bool // a worker has it
	ending bool
}

var _ workqueue.TypedInterface[types.NamespacedName] = (*Queue)(nil)

// New returns a queue for so many workers. Use of workers counts half after halfLife.
func New(workers int, halfLife time.Duration, c clock.PassiveClock) *Queue {
	q := &Queue{
		clock: c, shares: newShares(workers, halfLife),
		dirty: map[types.NamespacedName]bool{}, busy: map[types.NamespacedName]bool{},
	}
	q.change = sync.NewCond(&q.mu)
	return q
}

// Add implements [workqueue.TypedInterface].
func (q *Queue) Add(item types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ending || q.dirty[item] {
		return
	}
	q.dirty[item] = true
	if !q.busy[item] {
		q.shares.add(item, q.clock.Now())
		q.change.Broadcast()
	}
}

// Len implements [workqueue.TypedInterface]: the number of items that wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.shares.waiting
}

// Get implements [workqueue.TypedInterface]. It waits for an item that may be worked on, and
// returns shutdown once the queue is shut down and empty.
func (q *Queue) Get() (item types.NamespacedName, shutdown bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if item, ok := q.shares.pick(q.clock.Now()); ok {
			delete(q.dirty, item)
			q.busy[item] = true
			return item, false
		}
		if q.ending && q.shares.waiting == 0 {
			return item, true
		}
		q.change.Wait()
	}
}

// Done implements [workqueue.TypedInterface].
func (q *Queue) Done(item types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.busy[item] {
		return
	}
	delete(q.busy, item)
	now := q.clock.Now()
	q.shares.done(item, now)
	if q.dirty[item] {
		q.shares.add(item, now)
	}
	q.change.Broadcast()
}

// ShutDown implements [workqueue.TypedInterface]: nothing can be added any more.
func (q *Queue) ShutDown() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ending = true
	q.change.Broadcast()
}

// ShutDownWithDrain implements [workqueue.TypedInterface]: it also waits until the workers have
// ended.
func (q *Queue) ShutDownWithDrain() {
	q.ShutDown()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.busy) > 0 || q.shares.waiting > 0 {
		q.change.Wait()
	}
}

// ShuttingDown implements [workqueue.TypedInterface].
func (q *Queue) ShuttingDown() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ending
}
