// Package scheduler turns declared peaks into demand: a PeakSchedule and the Calendars it names are compiled once, and the
// compiled Schedule answers, from the clock alone, what all of its windows say about an instant or about a timeline of steps.
//
// # Level, never edge
//
// A window is a state between its start and its end. Nothing is remembered between two evaluations, so a restart in the
// middle of a window changes nothing. A Schedule is immutable and safe for concurrent use.
//
// # Wall clock and elapsed time
//
// Starts are read on the wall clock of the named zone, durations and ramps are elapsed time. A wall-clock time that a change
// of the clock skips stands for the instant of that change; one that the clock shows twice stands for the first of the two.
// In one sentence: a window starts as soon as the wall clock has, for the first time, reached the time that was written. A
// cron whose hour field is "*" or "*/n" follows elapsed time instead: it starts whenever the wall clock shows a matching
// minute, so twice in a repeated hour and not at all in a skipped one.
//
// Day of month and day of week combine as cron does: when both are restricted, either is enough. Sunday is 0 and 7. Whether
// "except" and "only" let a window start is decided by the date that its schedule or its start names.
//
// Schedules are evaluated from 1970 to the end of 2199; no window starts outside of that span.
//
// # Windows that overlap
//
// Windows combine in one order, see [Demand]. A window that lasts longer than its period overlaps with itself and is then
// simply active: it counts once, however many of its occurrences are under way.
//
// # Ramps
//
// Over rampUp before the start the window's value rises linearly from neutral, and it is complete at the start, not after it.
// Once the line is within a fifth of the full value ([RampStep]) the ramp takes the rest in one step: a
// HorizontalPodAutoscaler ignores changes within its tolerance, 10 % by default, and would swallow the end of a smooth ramp,
// and stay up to a tenth short during the whole window. Over rampDown after the end the value falls back linearly. How long
// pods take to become ready is not this package's business: the planner looks a lead ahead in the timeline.
package scheduler
