// Package weights estimates how much each kind of work counts in the load of a replica.
//
// Load is the weighted sum of several terms, such as prompt tokens and generated tokens, for each
// ready replica. The weights are right where latency depends on the load alone: it stays when the
// mix of the terms changes and the load does not. So weights are judged by the monotone regression
// of latency on the load that they make: the less of the latency it leaves unexplained, the better
// they are.
//
// Days that were left out of the regression decide whether other weights are better than those that
// were given. The package is pure: the same series give the same weights.
package weights
