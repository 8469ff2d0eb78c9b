// Package warm tests from end to end what gpuwarm does ahead of a plan: the warmer under the rights of its own ServiceAccount, on a real
// control plane with a scheduler and simulated nodes.
package warm

import (
	"os"
	"testing"

	"headstart.dev/headstart/test/controlplane"
)

// env is what tests share: where the binaries are.
var env struct{ layout controlplane.Layout }

// namespace of the service that is warmed for.
const namespace = "shop"

func TestMain(m *testing.M) { os.Exit(controlplane.RunTests(m, &env.layout, controlplane.Built)) }
