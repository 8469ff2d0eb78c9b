package background

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// No more computations run at once than there are slots.
func TestRunsFewAtOnce(t *testing.T) {
	const slots = 2
	c := &Computations{slots: make(chan struct{}, slots)}
	begun, end := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range slots + 1 {
		all.Go(func() { c.Run(func() { begun <- struct{}{}; <-end }) })
	}
	for range slots {
		<-begun
	}
	select {
	case <-begun:
		t.Errorf("more than %d computations run at once", slots)
	case <-time.After(50 * time.Millisecond): // without the bound, the third begins within one
		end <- struct{}{}
		<-begun
	}
	close(end)
	all.Wait()
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
