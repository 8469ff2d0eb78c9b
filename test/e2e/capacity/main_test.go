// Package capacity tests from end to end that Headstart learns what a replica serves: on a real control
// plane, with services whose latency follows the load of their replicas, and whose capacity changes.
package capacity

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
