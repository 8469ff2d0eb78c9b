// Package bench measures Headstart against its peers.
//
// BenchmarkServing compares a running headstart serve with the test-adapter of
// custom-metrics-apiserver, which does the least that an adapter built on that library can do. It
// asks as the API server's aggregator does: over HTTP/2, with the client certificate of the front
// proxy and the name of a user, for 1,000 metrics, in interleaved rounds. The door for KEDA is
// measured beside them, with calls of its gRPC contract.
//
// BenchmarkPolling measures that door while KEDA polls 1,000 ScaledObjects every 15 seconds.
//
// BenchmarkDisturbed compares the latency of each door at the rate of 10,000 autoscalers, with and
// without fits, polls of demand, and a flood of made-up tokens, in turn.
package bench
