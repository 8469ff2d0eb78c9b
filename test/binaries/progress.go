package binaries

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// progress shows that a build is running. It does not show builds of less than two seconds. On a
// terminal it is one line that is rewritten every second. Elsewhere it is one line at the
// beginning, one per minute, and one at the end.
type progress struct {
	compiled atomic.Int64 // packages

	w     io.Writer
	name  string
	tty   bool
	began time.Time
	shown bool // whether a line was printed; end reads it after loop has returned
	done  chan struct{}
	loops sync.WaitGroup
}

func showProgress(w io.Writer, name string) *progress {
	p := &progress{w: w, name: name, tty: isTerminal(w), began: time.Now(), done: make(chan struct{})}
	p.loops.Go(p.loop)
	return p
}

func (p *progress) loop() {
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-timer.C:
		}
		p.shown = true
		if p.tty {
			p.line("\r", "building", "")
			timer.Reset(time.Second)
		} else {
			p.line("", "building", "\n")
			timer.Reset(time.Minute)
		}
	}
}

// end stops the display, and prints whether the build succeeded.
func (p *progress) end(ok bool) {
	close(p.done)
	p.loops.Wait()
	if !p.shown {
		return
	}
	prefix, verb := "", "built"
	if p.tty {
		prefix = "\r"
	}
	if !ok {
		verb = "failed"
	}
	p.line(prefix, verb, "\n")
}

func (p *progress) line(prefix, verb, end string) {
	fmt.Fprintf(p.w, "%s  %-8s %-18s %5.0f s  %5d packages compiled%s",
		prefix, verb, p.name, time.Since(p.began).Seconds(), p.compiled.Load(), end)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
