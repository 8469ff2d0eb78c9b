// Package bench measures Headstart against its peers.
//
// BenchmarkServing compares a running headstart serve with the test-adapter of
// custom-metrics-apiserver, which does the least that an adapter built on that library can do:
// direct TLS requests with a bearer token for 1,000 metrics, in interleaved rounds. The door for KEDA
// is measured beside them, with calls of its gRPC contract.
//
// BenchmarkPolling measures that door while KEDA polls 1,000 ScaledObjects every 15 seconds.
package bench
