package app

import (
	"fmt"
	"os"
	"time"

	"k8s.io/utils/clock"
)

// clockVariable is the environment variable that moves the clock, for tests of what a wrong clock
// does. Only their build sets it, with -ldflags "-X ...=NAME". In a release it is empty, and no
// variable counts.
var clockVariable string

// processClock returns the clock of the server.
func processClock() (clock.WithTicker, error) {
	if clockVariable == "" {
		return clock.RealClock{}, nil
	}
	offset, err := time.ParseDuration(os.Getenv(clockVariable))
	if err != nil {
		return nil, fmt.Errorf("read the environment variable %s: %w", clockVariable, err)
	}
	return movedClock{by: offset}, nil
}

// movedClock is a real clock that is off.
type movedClock struct {
	clock.RealClock
	by time.Duration
}

// Now implements [clock.Clock].
func (c movedClock) Now() time.Time { return time.Now().Add(c.by) }

// Since implements [clock.Clock].
func (c movedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }
