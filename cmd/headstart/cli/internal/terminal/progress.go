package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// logInterval is the time from one progress line to the next in a pipe or a file. The first
	// line comes after the same time, so a short task writes none.
	logInterval = 30 * time.Second
	// redrawInterval is the least time between two updates of the line on a terminal.
	redrawInterval = 100 * time.Millisecond
)

// Progress shows how far a task is. On a terminal it is one line that is rewritten; elsewhere it is
// a new line now and then. It may be used from several goroutines.
type Progress struct {
	w        io.Writer
	task     string
	terminal bool
	now      func() time.Time

	mu    sync.Mutex
	next  time.Time // when to write again
	drawn bool      // there is a line on the terminal to clear
}

// NewProgress returns the progress of a task.
func NewProgress(w io.Writer, task string) *Progress {
	return newProgressAt(w, task, isTerminal(w), time.Now)
}

// newProgressAt is NewProgress with a given clock, for tests.
func newProgressAt(w io.Writer, task string, terminal bool, now func() time.Time) *Progress {
	p := &Progress{w: w, task: task, terminal: terminal, now: now}
	if !terminal {
		p.next = now().Add(logInterval)
	}
	return p
}

// Show reports that done of total parts are finished. It may write nothing.
func (p *Progress) Show(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if total <= 0 || now.Before(p.next) {
		return
	}
	if !p.terminal {
		p.next = now.Add(logInterval)
		fmt.Fprintf(p.w, "%s: %d %%\n", p.task, 100*done/total)
		return
	}
	p.next, p.drawn = now.Add(redrawInterval), true
	fmt.Fprintf(p.w, "\r\x1b[K%s: %d %%", p.task, 100*done/total)
}

// End clears the line on a terminal.
func (p *Progress) End() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
