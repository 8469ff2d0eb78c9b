// Package evidence reads what the capacity of a Forecast's replicas is learned from: the latency and
// the ready replicas, in the steps for which demand is known. It reads rarely and in batches, through
// the same workers as demand, and keeps nothing of it. Package learning makes a capacity of it.
package evidence
