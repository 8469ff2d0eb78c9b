// Package capacity learns what one ready replica of a service can carry within its objective.
//
// The objective is a latency that a step must not exceed, and the share of the steps that must meet
// it. Samples of load, ready replicas and latency go into an [Estimator], in order of time. An
// [Estimate] comes out: the largest load per ready replica at which the objective still holds.
//
// The package is pure: no clock, no randomness, no input or output. The same samples give the same
// bits, so a replay over history gives what a live controller gave. An estimate at one instant
// depends on nothing later.
//
// What is used rises above the configured default only as far as loads were really carried with the
// objective met. It falls below the default only where the objective was missed below it. Without
// evidence the default counts. Misses never raise it again: an objective that is missed for hours
// leaves what was used before, if that is below the default.
package capacity
