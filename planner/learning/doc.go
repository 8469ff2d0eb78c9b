// Package learning learns what one replica of a service serves, from its demand, latency and ready
// replicas. It says which steps to read next, and gives them to the estimator of package capacity, in
// order of time and with what the estimator has to know of each.
//
// The controller and the replay of a report both call it. Steps are added up to instants that derive
// from the time of the data, so a replay knows at each step what serving knew then, and nothing later.
package learning
