// Package warm tests from end to end what gpuwarm does ahead of a plan: the warmer with the
// permissions of its own ServiceAccount, on a real control plane with a scheduler and simulated
// nodes.
package warm

import (
	"os"
	"testing"

	"headstart.dev/headstart/test/binaries"
)

// env is shared by all tests.
var env struct{ layout binaries.Layout }

// namespace of the service and its WarmPool.
const namespace = "shop"

func TestMain(m *testing.M) { os.Exit(binaries.RunTests(m, &env.layout, binaries.ControlPlane)) }
