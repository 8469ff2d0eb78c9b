// Package accuracy keeps how good served demand turned out to be, going forward: coverage, skill and bias of the last day and week, and
// whether the level that was asked for is missed by more than chance explains.
//
// It is pure: promises and then the demand go in, figures come out. Time is that of the data. A [Tracker] holds tallies of six hours
// each, a week of them and a little, and the promises whose windows are not over yet; it can be written down in about a kilobyte.
package accuracy
