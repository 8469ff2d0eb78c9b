// Package planner turns settings, a demand series, declared peaks and a lead into a plan.
//
// It is pure: no clock, no cluster, and no memory except the [State] that the caller passes in.
//
//   - [NewSettings] reads a Forecast and the HPAs that read it into one [Settings].
//   - [Step] makes the plan of one instant. The controller and the replay both call it, so a dry
//     run equals serving by construction.
//
// The plan itself, its codec, the rounding to replicas and the served number are in planner/plan.
// What bounds the cost of a service level is in planner/spend, and whether a plan is worth a write
// in planner/publish.
package planner
