// Package bench measures Headstart against its peers.
//
// BenchmarkServing compares a running headstart serve with the test-adapter of
// custom-metrics-apiserver, which does the least that an adapter built on that library can do:
// direct TLS requests with a bearer token for 1,000 metrics, in interleaved rounds.
package bench
