package scheduler

import (
	"container/heap"
	"slices"
)

// changes knows which cursor changes its phase next, and which are not idle. So an instant at which
// one of many windows changes costs little.
type changes struct {
	cursors []cursor
	busy    []int // the cursors that are not idle, in their order
	order   []int // a heap of the cursors, by the end of their phase
}

func newChanges(cursors []cursor) *changes {
	c := &changes{cursors: cursors, order: make([]int, len(cursors))}
	for i := range cursors {
		c.order[i] = i
		if !cursors[i].phase.idle() {
			c.busy = append(c.busy, i)
		}
	}
	heap.Init(c)
	return c
}

// next returns when the first phase ends.
func (c *changes) next() int64 {
	if len(c.order) == 0 {
		return forever
	}
	return c.cursors[c.order[0]].phase.until
}

// advance moves the cursors whose phase has ended at an instant.
func (c *changes) advance(at, horizon int64) {
	for c.next() <= at {
		i := c.order[0]
		moved := &c.cursors[i]
		moved.phase = moved.window.phaseFrom(moved.schedule.zone, at, horizon)
		heap.Fix(c, 0)
		switch place, was := slices.BinarySearch(c.busy, i); {
		case was && moved.phase.idle():
			c.busy = slices.Delete(c.busy, place, place+1)
		case !was && !moved.phase.idle():
			c.busy = slices.Insert(c.busy, place, i)
		}
	}
}

// Len implements [heap.Interface].
func (c *changes) Len() int { return len(c.order) }

// Less implements [heap.Interface].
func (c *changes) Less(i, j int) bool {
	return c.cursors[c.order[i]].phase.until < c.cursors[c.order[j]].phase.until
}

// Swap implements [heap.Interface].
func (c *changes) Swap(i, j int) { c.order[i], c.order[j] = c.order[j], c.order[i] }

// Push implements [heap.Interface]. Nothing is pushed.
func (c *changes) Push(any) {}

// Pop implements [heap.Interface]. Nothing is popped.
func (c *changes) Pop() any { return nil }
