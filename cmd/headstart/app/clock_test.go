package app

import (
	"testing"
	"time"

	"k8s.io/utils/clock"
)

func TestProcessClock(t *testing.T) {
	t.Setenv("CLOCK", "1h")
	if c, err := processClock(); err != nil || c != (clock.RealClock{}) {
		t.Errorf("a release has the clock %#v, %v", c, err)
	}
	clockVariable = "CLOCK"
	t.Cleanup(func() { clockVariable = "" })
	c, err := processClock()
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Until(c.Now()); off < 59*time.Minute || off > time.Hour {
		t.Errorf("the clock is off by %s, want an hour", off)
	}
	if since := c.Since(c.Now()); since < 0 || since > time.Minute {
		t.Errorf("%s have passed since now", since)
	}
	t.Setenv("CLOCK", "?")
	if _, err := processClock(); err == nil {
		t.Error("no error for a variable that is no duration")
	}
}
