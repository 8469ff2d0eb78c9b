// Package planner turns a forecast, the declared peaks, the lead and the bounds into a plan, and a plan into a served number.
//
// It is pure: no clock, no cluster, no memory beyond what a caller hands in. [Build] makes a [Plan] from an [Input];
// [Plan.Encode] and [Decode] carry it through a Forecast's status; [Serve] is the one place that turns a plan and the observed
// demand into the number that an HPA reads, for the adapter and for the report alike; [Publisher] says whether a fresh plan is
// worth a write.
//
// The value of a plan at t is the demand to be covered over the lead window [t, t + lead]. A step at which the plan has nothing
// to say, because no forecast with skill exists and no peak is declared, is NaN: there observed demand is served, and where
// that is unknown too, an error. Zero is a statement ("no demand is expected"), never a stand-in for "unknown".
package planner
