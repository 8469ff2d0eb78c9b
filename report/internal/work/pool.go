// Package work limits how much runs at the same time.
package work

import (
	"runtime"
	"sync/atomic"
)

// Pool limits how much runs at the same time, and reports the progress.
type Pool struct {
	slots  chan struct{}
	done   atomic.Int64
	total  int
	report func(done, total int)
}

// NewPool returns a Pool with a slot for each processor. report is told how many of total steps are
// done; it may be nil.
func NewPool(total int, report func(done, total int)) *Pool {
	return &Pool{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), total: total, report: report}
}

// Enter waits for a free slot, and returns the function that frees it.
func (p *Pool) Enter() (leave func()) {
	p.slots <- struct{}{}
	return func() { <-p.slots }
}

// Add counts steps that are done.
func (p *Pool) Add(steps int) {
	done := p.done.Add(int64(steps))
	if p.report != nil {
		p.report(int(done), p.total)
	}
}
