package background

import (
	"runtime"
	"syscall"
	"testing"
)

// priority is that of the calling thread. The system call returns 20 minus the priority.
func priority(t *testing.T) int {
	t.Helper()
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	return 20 - p
}

// A computation has a lower priority, and no other goroutine gets its thread.
func TestOnlyComputationsAreNice(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual := priority(t)
	c := New(1)
	for range 20 {
		var during int
		c.Run(func() { during = priority(t) })
		if during < nice {
			t.Fatalf("a computation has priority %d, want at least %d", during, nice)
		}
		after := make(chan int)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			after <- priority(t)
		}()
		if p := <-after; p != usual {
			t.Fatalf("another goroutine has priority %d, want %d", p, usual)
		}
	}
}
