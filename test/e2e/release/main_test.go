// Package release makes a release in clean clones, as a maintainer does, and installs what it made.
package release

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"headstart.dev/headstart/test/binaries"
)

// platforms are what the release is made for. A maintainer's release is for six; each of them
// compiles everything once.
var platforms = flag.String("platforms", "linux/"+runtime.GOARCH, "`platforms` of the release, with commas between")

// env is shared by all tests.
var env struct{ layout binaries.Layout }

func TestMain(m *testing.M) {
	flag.Parse()
	code := binaries.RunTests(m, &env.layout, binaries.ControlPlane)
	if result.root != "" {
		_ = os.RemoveAll(filepath.Dir(result.root)) // the clones
	}
	os.Exit(code)
}
