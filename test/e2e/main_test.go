// Package e2e tests Headstart from end to end: the real control plane, the real Prometheus, the manifests, and headstart serve
// under the rights of its own ServiceAccount.
package e2e

import (
	"os"
	"testing"

	"headstart.dev/headstart/test/controlplane"
)

// env is what tests share: where the binaries are.
var env struct{ layout controlplane.Layout }

func TestMain(m *testing.M) {
	os.Exit(controlplane.RunTests(m, &env.layout, controlplane.BuiltWithHeadstart))
}
