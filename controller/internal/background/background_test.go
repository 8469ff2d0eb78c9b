package background

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// No more computations run at once than there are slots.
func TestRunsFewAtOnce(t *testing.T) {
	c := &Computations{slots: make(chan struct{}, 2)}
	var running, most atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			c.Run(func() {
				now := running.Add(1)
				for range 3 { // against others that raise it at the same time
					if seen := most.Load(); now > seen {
						most.CompareAndSwap(seen, now)
					}
				}
				running.Add(-1)
			})
		})
	}
	all.Wait()
	if n := most.Load(); n < 1 || n > 2 {
		t.Errorf("%d computations ran at once, want at most 2", n)
	}
}

func TestRoomIsBounded(t *testing.T) {
	if n := cap(New(1).slots); n != 1 {
		t.Errorf("room for %d, want 1 as asked", n)
	}
	if n := cap(New(1000).slots); n < 1 || n >= 1000 {
		t.Errorf("room for %d, want less than the cores, and at least 1", n)
	}
}

// The caller sees a panic, as of an ordinary call, and the slot is free again.
func TestPanicReachesCaller(t *testing.T) {
	for name, c := range map[string]*Computations{"Nil": nil, "OneSlot": New(1)} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				func() {
					defer func() {
						if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "broken") {
							t.Errorf("the caller recovered %q, want the panic's value", got)
						} else if c != nil && !strings.Contains(got, "TestPanicReachesCaller") {
							t.Errorf("the caller recovered %q, without where it happened", got)
						}
					}()
					c.Run(func() { panic("broken") })
				}()
			}
			ran := false
			if c.Run(func() { ran = true }); !ran {
				t.Error("nothing runs after a panic")
			}
		})
	}
}
