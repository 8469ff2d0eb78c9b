// Package accuracy scores served demand going forward: coverage, skill and bias of the last day and
// week. It tests whether the level that the contract asks for is missed by more than chance
// explains (drift).
//
// It is pure. Promises and then the demand go in, figures come out, and time is that of the data. A
// [Tracker] holds sums of six hours each, for a week and a little more, and the promises whose
// windows are not over yet. It can be written down in about a kilobyte: see [Record].
package accuracy
