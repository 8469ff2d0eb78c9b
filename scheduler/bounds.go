package scheduler

import (
	"fmt"
	"math/bits"
)

const (
	// MaxWindows is how many windows the PeakSchedules of one Forecast may have together. The time
	// of a plan grows with it.
	MaxWindows = 256
	// MaxChanges is how often the windows of one PeakSchedule, and those of all PeakSchedules of one
	// Forecast together, may change on one day. The time of a plan grows with it too.
	MaxChanges = 4096
)

// changesPerDay returns how often the window starts, ends, and begins or ends a ramp on a day on
// which it starts. A window that occurs once does so on one day of all, and counts as none.
func (w *window) changesPerDay() int {
	if w.cron == nil {
		return 0
	}
	changes := 2
	if w.rampUp > 0 {
		changes++
	}
	if w.rampDown > 0 {
		changes++
	}
	return changes * bits.OnesCount64(w.cron.minutes) * bits.OnesCount64(w.cron.hours)
}

// changesPerDay returns how often all windows that count may change on one day.
func (s *Schedule) changesPerDay() int {
	if s.suspended {
		return 0
	}
	changes := 0
	for i := range s.windows {
		changes += s.windows[i].changesPerDay()
	}
	return changes
}

// checkChanges refuses a schedule whose windows change too often.
func (c *compiler) checkChanges(s *Schedule) {
	changes, busiest := s.changesPerDay(), 0
	if changes <= MaxChanges {
		return
	}
	for i := range s.windows {
		if s.windows[i].changesPerDay() > s.windows[busiest].changesPerDay() {
			busiest = i
		}
	}
	c.add("spec.windows", "", "they change %d times a day, at most %d: start them less often, %q most of all "+
		"(%d changes; a start, an end and each ramp count), or declare one long window instead of many short ones",
		changes, MaxChanges, s.windows[busiest].name, s.windows[busiest].changesPerDay())
}

// budget is what the schedules of one Forecast use of its bounds.
type budget struct{ windows, changes int }

// take counts a schedule. It returns an error, and does not count it, where too little is left.
func (b *budget) take(s *Schedule) error {
	windows, changes := b.windows+s.size(), b.changes+s.changesPerDay()
	switch {
	case windows > MaxWindows:
		return fmt.Errorf("PeakSchedule %s: its %d windows and the %d of "+
			"the PeakSchedules before it, by name, are more than %d for one Forecast: join windows, or remove old ones",
			s.name, s.size(), b.windows, MaxWindows)
	case changes > MaxChanges:
		return fmt.Errorf("PeakSchedule %s: its windows change %d times a day and those of "+
			"the PeakSchedules before it, by name, %d times, more than %d for one Forecast: "+
			"start windows less often, or declare one long window instead of many short ones",
			s.name, s.changesPerDay(), b.changes, MaxChanges)
	}
	b.windows, b.changes = windows, changes
	return nil
}
