// Package warmer brings up nodes, images and weights ahead of the plans of the Forecasts that a
// WarmPool selects.
//
// A look at a WarmPool has four steps.
//
//   - Observe (observe.go) reads what is there into a snapshot: pods, nodes, quotas, Forecasts,
//     WarmPools, targets, the optional APIs, and what the WarmPool made before.
//   - Decide ([headstart.dev/headstart/gpuwarm/warmer/allocate]) is a pure function from the
//     snapshot, and from what is remembered of the last look, to what is desired.
//   - Apply (apply.go) makes the difference so. The packages nodes, images and weights have one
//     method for each way to do it. One dependency is explicit: what a Forecast held is released
//     once its successor holds it.
//   - Report (report.go) writes status, conditions and Events, and nothing else does.
//
// Everything follows from what is in the cluster and from the clock, so a restart changes nothing.
// What is held is released when the plan recedes, when the WarmPool is deleted, or, by the deadline
// of placeholders, when nobody reconciles any more. What is remembered of a WarmPool is in one
// place (state.go), and saves requests.
package warmer
