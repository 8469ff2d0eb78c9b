// Package background runs long computations so that they do not delay requests.
//
// Go gives all goroutines the same share of the processor. A fit computes for a fifth of a second,
// a request for a millisecond. So a computation runs on a thread of its own, at a lower priority of
// the operating system, and a core is left to requests.
package background

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Computations bounds how many run at once. A nil one runs them as ordinary calls.
type Computations struct{ slots chan struct{} }

// New returns room for computations: one for each core of the process but one, at least one, and at
// most so many.
func New(most int) *Computations {
	cores := min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // the latter knows a container's CPU limit
	return &Computations{slots: make(chan struct{}, max(1, min(cores-1, most)))}
}

// Run waits for a slot, calls f, and returns when f has returned. If f panics, Run panics, with the
// stack of f in the text.
func (c *Computations) Run(f func()) {
	if c == nil {
		f()
		return
	}
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	ended := make(chan string)
	go func() {
		var problem string
		defer func() { ended <- problem }()
		// Without a call to UnlockOSThread the thread ends with the goroutine. A thread cannot
		// raise its priority again without privileges, so nothing else may run on it.
		runtime.LockOSThread()
		lowerPriority()
		defer func() {
			if p := recover(); p != nil {
				problem = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
		}()
		f()
	}()
	if problem := <-ended; problem != "" {
		panic(problem)
	}
}
