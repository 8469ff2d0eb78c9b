// Package warmer brings up nodes and images ahead of the plans of the Forecasts that a WarmPool selects.
//
// Nodes are held by a CapacityBuffer where the cluster has that API, else by placeholders: pods of the service's own shape and of a priority
// below everything real, which make the cluster autoscaler bring a node up and give way to the first real pod. Images are pulled by an
// ImagePullJob where the cluster has that API, else by a pod per node that ends once it has the image.
//
// How much to hold is [gpuwarm.Staging]'s business. Everything here follows from what is in the cluster and from the clock, so a restart
// changes nothing, and what was held is let go when the plan recedes, the WarmPool goes, or, by the placeholders' own deadline, nobody is left
// to say so.
package warmer
