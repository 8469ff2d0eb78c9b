// Package plan has the plan: the timeline of demand to provision for, its form in a Forecast's
// status, the one rounding from demand to replicas, and the number that is served from a plan.
//
// The value of a plan at t is the demand that must be covered during the lead window [t, t + lead].
// NaN means that the plan has no value for a step: no forecast has skill, and no peak is declared.
// Observed demand is served there. Zero means "no demand is expected". It never stands for
// "unknown".
//
// The package is pure. It imports the API types and nothing else of Headstart, so everybody who
// reads plans can import it.
package plan
