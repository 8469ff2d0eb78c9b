// Package spend holds what plans ask for to a multiple of what a reactive policy would take.
//
// A [Ledger] counts both, in replica-hours, over the trailing week: the replicas that the plan
// asked for, and those that a reactive policy would have taken for the demand that was observed.
// From them it says how much of a forecast may be kept. See [Keep].
//
// # The rule
//
// Let M be the bound, A what was asked for, and B what a reactive policy would have taken. The
// excess is A − M·B, as a share of a week of M·B. The price that may be paid now, over that of a
// reactive policy, is M while there is no excess. It falls in proportion to the excess, down to 1
// where that is [Tolerance]. There nothing is provided beyond observed demand, so the excess grows
// no further.
//
// What a price buys is known from the same week: the Ledger also counts what the whole forecast
// would have asked for, and what the expected demand alone would have. Neither depends on what was
// kept. So in a service that does not change, the price stays at M, and the rule has nothing to
// swing about.
//
// The part of the week that was not counted is taken as spent at the bound. So a young service is
// held to it from its first step on, softly at first, and so is one that was away.
//
// The package is pure: no clock, and no memory but the Ledger.
package spend
