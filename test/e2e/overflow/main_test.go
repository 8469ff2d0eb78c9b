// Package overflow tests from end to end what happens when a cluster runs out: two real control
// planes, of which the second plans what does not fit into the first.
package overflow

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
