package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is a running program. It has a process group of its own, and a log file for its output.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended
	err  error         // of Wait; read it after done
}

// Name of the program.
func (p *Process) Name() string { return p.name }

// Log is the path of the file with the program's output.
func (p *Process) Log() string { return p.log }

// PID of the program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill kills the program and its children at once, as a crash would, and waits until it has ended.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Stop sends SIGTERM, waits for at most the grace period, then kills the program and its children.
func (p *Process) Stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	p.Kill() // also children that outlive the program
}

// Pause stops the program from running until [Process.Resume], as on a machine that stands still.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume ends [Process.Pause].
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	// The group exists as long as a child runs. ESRCH says that none is left.
	_ = syscall.Kill(-p.cmd.Process.Pid, s)
}

// Tail returns the last lines of the log, for an error message. If there are lines of errors, it
// returns those only.
func (p *Process) Tail() string { return tail(p.log, 12) }

// exited returns the error of a program that ended by itself.
func (p *Process) exited() error {
	<-p.done
	return fmt.Errorf("%s ended: %w; the end of its log:\n%s", p.name, errors.Join(p.err, errEnded), p.Tail())
}

var errEnded = errors.New("not expected to end")

// A spawner starts processes from one thread of the operating system that lives as long as they do.
// Linux signals the death of a parent when the thread that forked ends, not when the process ends.
type spawner struct {
	jobs chan func()
	end  sync.Once
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with this goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// close ends the thread. Every process that it started must have ended, or is killed by this.
func (s *spawner) close() { s.end.Do(func() { close(s.jobs) }) }

// program is a program to run.
type program struct {
	name string   // of the process and its log
	path string   // of the binary
	args []string // without the program's name
	env  []string // added to the environment
	logs string   // folder
}

func (s *spawner) start(p program) (*Process, error) {
	log, err := os.OpenFile(filepath.Join(p.logs, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir = p.logs
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr()
	started := make(chan error)
	s.jobs <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	proc := &Process{name: p.name, log: log.Name(), cmd: cmd, done: make(chan struct{})}
	go func() {
		proc.err = cmd.Wait()
		close(proc.done)
	}()
	return proc, nil
}

// await polls ready until it returns nil, the process ends, or the deadline passes.
func (p *Process) await(ctx context.Context, deadline time.Duration, ready func(context.Context) error) error {
	outer := ctx
	ctx, cancel := context.WithTimeout(outer, deadline)
	defer cancel()
	var last error
	for {
		attempt, end := context.WithTimeout(ctx, 5*time.Second)
		err := ready(attempt)
		end()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err // the error of a cancelled attempt says less
		}
		select {
		case <-p.done:
			return p.exited()
		case <-ctx.Done():
			if err := outer.Err(); err != nil {
				return fmt.Errorf("wait for %s: %w", p.name, err)
			}
			return fmt.Errorf("%s was not ready within %s: %w; the end of its log:\n%s", p.name, deadline, last, p.Tail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tail returns the last n lines of a file. If lines of errors are among the last 64 KiB, it returns
// those only.
func tail(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-64<<10), io.SeekStart)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(data)), "\n")
	var bad []string
	for _, line := range lines {
		if isErrorLine(line) {
			bad = append(bad, line)
		}
	}
	if len(bad) > 0 {
		lines = bad
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// isErrorLine reports whether a line is an error of klog, slog or zap, or a panic.
func isErrorLine(line string) bool {
	for _, prefix := range []string{"E", "F"} { // klog: E1123 10:00:00.000000 ...
		if rest, ok := strings.CutPrefix(line, prefix); ok && len(rest) > 4 && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "Error:") ||
		strings.Contains(line, "level=ERROR") ||
		strings.Contains(line, `"level":"fatal"`) || strings.Contains(line, `"level":"ERROR"`)
}
