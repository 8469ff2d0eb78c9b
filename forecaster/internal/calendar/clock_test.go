package calendar

import (
	"testing"
	"time"
)

// Yesterday's 09:00 is 23, 24 or 25 hours ago, as the zone's clock has it. Lags that are not whole
// days count elapsed time.
func TestBackFollowsTheWallClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		now   time.Time
		loc   *time.Location
		lag   int
		hours int // ago
	}{
		"ordinary day":    {time.Date(2026, 3, 28, 9, 0, 0, 0, berlin), berlin, 24, 24},
		"clocks forward":  {time.Date(2026, 3, 29, 9, 0, 0, 0, berlin), berlin, 24, 23},
		"clocks back":     {time.Date(2026, 10, 25, 9, 0, 0, 0, berlin), berlin, 24, 25},
		"a week across":   {time.Date(2026, 4, 1, 9, 0, 0, 0, berlin), berlin, 7 * 24, 7*24 - 1},
		"not whole days":  {time.Date(2026, 3, 29, 9, 0, 0, 0, berlin), berlin, 12, 12},
		"UTC never jumps": {time.Date(2026, 3, 29, 9, 0, 0, 0, time.UTC), time.UTC, 24, 24},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			clock := NewClock(c.now.Add(-400*time.Hour), time.Hour, c.loc)
			if got := 400 - clock.Back(400, c.lag); got != c.hours {
				t.Errorf("%d steps before %s lies %d h ago, want %d h", c.lag, c.now, got, c.hours)
			}
		})
	}
}
