// Package scheduler turns declared peaks into demand. A PeakSchedule and the Calendars that it
// names are compiled once. The compiled Schedule then says, for an instant or for a timeline of
// steps, what all its windows together demand.
//
// # State from the clock alone
//
// A window is a state between its start and its end, not an event at its start. Nothing is stored
// between two evaluations, so a restart in the middle of a window changes nothing. A Schedule is
// immutable and safe for concurrent use.
//
// # Wall clock and elapsed time
//
// Starts are read on the wall clock of the named zone. Durations and ramps are elapsed time. A
// window starts as soon as the wall clock shows, for the first time, the written time or a later
// one:
//
//   - A time that a clock change skips stands for the instant of that change.
//   - A time that the clock shows twice stands for the first of the two.
//
// A cron expression whose hour field is "*" or "*/n" follows elapsed time instead. It starts
// whenever the wall clock shows a matching minute: twice in a repeated hour, and not at all in a
// skipped one.
//
// Day of month and day of week combine as in cron: where both are restricted, either is enough.
// Sunday is 0 and 7. Whether "except" and "only" allow a start depends on the date that the
// schedule or the start names.
//
// Schedules are evaluated from 1970 to the end of 2199. No window starts outside of these years.
//
// # Overlapping windows
//
// Windows combine in one order, see [Demand]. A window that lasts longer than its period overlaps
// with itself. It is then simply active, and counts once.
//
// # Ramps
//
// During rampUp before the start, the value of the window rises linearly from neutral. It is
// complete at the start, not after it. Once the line is within a fifth of the full value
// ([RampStep]), the full value counts. The reason is the HorizontalPodAutoscaler: it ignores
// changes within its tolerance, 10 % by default. So it would ignore the end of a smooth ramp, and
// stay up to a tenth too low during the whole window. During rampDown after the end, the value
// falls back linearly.
//
// This package does not know how long pods take to become ready. The planner looks a lead ahead in
// the timeline.
package scheduler
