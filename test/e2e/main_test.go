// Package e2e tests Headstart from end to end: the real control plane, the real Prometheus, the
// manifests, and headstart serve with the permissions of its own ServiceAccount.
package e2e

import (
	"os"
	"testing"

	"headstart.dev/headstart/test/binaries"
)

// env is shared by all tests.
var env struct{ layout binaries.Layout }

func TestMain(m *testing.M) {
	os.Exit(binaries.RunTests(m, &env.layout, binaries.WithHeadstart))
}
