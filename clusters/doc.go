// Package clusters reads what does not fit into other clusters: the Forecasts there that Forecasts
// here name in spec.overflowOf. It has one watch for each cluster and namespace, and polls nothing.
package clusters
