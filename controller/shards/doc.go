// Package shards spreads planning over the replicas of Headstart.
//
// Each replica is a member while it renews a Lease of its own. Every replica reads all these
// Leases, and so knows the members. A key, such as the name of a Forecast, belongs to one member:
// the one with the highest hash of both. When a member comes or goes, only its own keys move.
//
// For some seconds after a change two replicas may own the same key, or none. Both is harmless: a
// write of status by an old owner meets a conflict, and the plan in status is served meanwhile.
package shards
