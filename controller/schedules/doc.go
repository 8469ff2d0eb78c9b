// Package schedules reads PeakSchedules and Calendars of a cluster, and writes their status: whether
// they can be evaluated, what they declare now, and what comes next. Plans do not depend on that
// status; they are made from what [Compiler] returns.
package schedules
