package controlplane_test

import (
	"os"
	"testing"

	"headstart.dev/headstart/test/controlplane"
)

var layout controlplane.Layout

func TestMain(m *testing.M) { os.Exit(controlplane.RunTests(m, &layout, controlplane.Built)) }
