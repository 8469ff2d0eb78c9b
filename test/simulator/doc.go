// Package simulator puts load on simulated services. It offers each service the same demand, serves
// what the ready replicas can, drops the rest, and keeps accounts.
//
// A [Demand] is a timeline of compressed time. Prometheus starts with its past ([WriteHistory]),
// and the rest is offered live ([Simulator]). Both count the same requests, so the counter that
// Prometheus scrapes continues where the preloaded one ends.
package simulator
