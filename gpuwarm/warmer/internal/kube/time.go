package kube

import (
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
)

// fullClock is a PassiveClock where a Clock is required by type. Only Now and Since are called.
type fullClock struct {
	clock.RealClock
	passive clock.PassiveClock
}

func (c fullClock) Now() time.Time                  { return c.passive.Now() }
func (c fullClock) Since(t time.Time) time.Duration { return c.passive.Since(t) }

// NewExpiring returns a map whose entries expire by the clock.
func NewExpiring(c clock.PassiveClock) *cache.Expiring {
	return cache.NewExpiringWithClock(fullClock{passive: c})
}

// NewBackoff returns a backoff whose items are forgotten by Reset and by nothing else.
func NewBackoff(c clock.PassiveClock, initial, longest time.Duration) *flowcontrol.Backoff {
	b := flowcontrol.NewBackOff(initial, longest)
	b.Clock = fullClock{passive: c}
	b.HasExpiredFunc = func(_, _ time.Time, _ time.Duration) bool { return false }
	return b
}

// DenyPause is how long a denied request is not tried again. Only a person can fix it.
const DenyPause = 15 * time.Second

// DenyBackoff remembers requests that were denied, by a key of the caller.
type DenyBackoff struct{ denied *cache.Expiring }

// NewDenyBackoff returns an empty DenyBackoff.
func NewDenyBackoff(c clock.PassiveClock) *DenyBackoff { return &DenyBackoff{NewExpiring(c)} }

// Recent returns the denial of less than DenyPause ago; nil where there is none.
func (b *DenyBackoff) Recent(key string) error {
	if err, ok := b.denied.Get(key); ok {
		return err.(error)
	}
	return nil
}

// Note remembers the errors that only a person can fix, and forgets the key where there is none.
func (b *DenyBackoff) Note(key string, err error) {
	b.denied.Delete(key)
	if err != nil && !IsAbsent(err) && !IsTransient(err) {
		b.denied.Set(key, err, DenyPause)
	}
}
