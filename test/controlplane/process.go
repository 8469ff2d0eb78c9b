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

// A Process is one running program in a process group of its own, with its output in a log file.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended
	err  error         // of Wait; read after done
}

// Name of the program.
func (p *Process) Name() string { return p.name }

// Log is the file that has the program's output.
func (p *Process) Log() string { return p.log }

// PID of the program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the program and its children at once and waits for it, as a crash would.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the program to end, waits for at most grace, then kills it and its children.
func (p *Process) Stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	p.Kill() // also what is left of the group of a program that ended
}

func (p *Process) signal(s syscall.Signal) {
	// The group outlives its leader while children run; ESRCH just says that nothing is left.
	_ = syscall.Kill(-p.cmd.Process.Pid, s)
}

// Tail returns the last lines of the log that say what went wrong, for an error message.
func (p *Process) Tail() string { return tail(p.log, 12) }

// exited is the error for a program that ended on its own.
func (p *Process) exited() error {
	<-p.done
	return fmt.Errorf("%s ended: %w; the end of its log:\n%s", p.name, errors.Join(p.err, errEnded), p.Tail())
}

var errEnded = errors.New("not expected to end")

// A spawner starts processes from one operating-system thread that lives as long as they do: Linux signals the death of the
// parent when the thread that forked ends, not the process.
type spawner struct {
	jobs chan func()
	end  sync.Once
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// close ends the thread; every process that it started must have ended before, or is killed by this.
func (s *spawner) close() { s.end.Do(func() { close(s.jobs) }) }

// program is what to run.
type program struct {
	name string   // for messages and the log's name
	path string   // of the binary
	args []string // without the name of the program
	env  []string // in addition to the environment
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
			last = err // an error of a cancelled attempt says less
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

// tail returns the last n lines of a file, errors first when there are any among the last 64 KiB.
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

// isErrorLine knows klog's and slog's error lines and a panic.
func isErrorLine(line string) bool {
	for _, prefix := range []string{"E", "F"} { // klog: E1123 10:00:00.000000 ...
		if rest, ok := strings.CutPrefix(line, prefix); ok && len(rest) > 4 && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "Error:") || strings.Contains(line, "level=ERROR") ||
		strings.Contains(line, `"level":"fatal"`) || strings.Contains(line, `"level":"ERROR"`)
}
