// Package simulator is load on services that only pretend to run: it offers each service the same demand, serves what the ready
// replicas can, drops the rest, and keeps the accounts.
//
// A [Demand] is a timeline of compressed time: the past of it is what Prometheus is started with ([WriteHistory]), the rest is
// offered live ([Simulator]). Both count the same requests, so the counter that Prometheus scrapes goes on where the preloaded
// one ends.
package simulator
