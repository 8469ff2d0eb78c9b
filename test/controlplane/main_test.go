package controlplane_test

import (
	"os"
	"testing"

	"headstart.dev/headstart/test/binaries"
)

var layout binaries.Layout

func TestMain(m *testing.M) { os.Exit(binaries.RunTests(m, &layout, binaries.ControlPlane)) }
