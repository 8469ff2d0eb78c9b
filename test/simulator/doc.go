// Package simulator puts load on simulated services. It offers each service the same demand. It
// serves as much as the ready replicas can, and drops the rest. An [Account] has the sums.
//
// A [Demand] is a timeline of compressed time. Prometheus starts with its past ([WriteHistory]),
// and the rest is offered live ([Simulator]). Both count the same requests, so the counter that
// Prometheus scrapes continues where the preloaded one ends.
package simulator
