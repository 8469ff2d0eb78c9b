// Package binaries builds the programs that the end-to-end tests, the demo and the benchmarks run,
// at the versions that go.mod pins: the control plane, headstart, helm and the linter. They go into
// bin/ and are built when they are missing or out of date.
//
// The package needs little beside the standard library, so that a first build does not begin with
// compiling Kubernetes' client.
package binaries
