// Package accuracy scores served demand while Headstart serves it. Its figures are coverage, skill
// and bias of the last day and week. It also tests for drift: whether the level of the contract is
// missed by more than chance explains.
//
// It is pure: promises go in, then the demand, and figures come out. Its time is that of the data.
// A [Tracker] holds sums for periods of six hours, for about a week, and the promises that are not
// scored yet. A [Record] stores it in about a kilobyte.
package accuracy
