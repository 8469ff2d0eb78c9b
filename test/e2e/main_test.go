// Package e2e tests Headstart from end to end: the real control plane, the real Prometheus, the manifests, and headstart serve
// under the rights of its own ServiceAccount.
package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// env is what tests share.
var env struct {
	layout controlplane.Layout

	mu    sync.Mutex
	world *harness.World
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	layout, err := controlplane.FindLayout()
	if err == nil {
		err = layout.Binaries(ctx, os.Stderr, controlplane.Commands()...)
	}
	if err == nil {
		err = layout.Headstart(ctx, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	env.layout = layout
	defer func() {
		if env.world != nil {
			env.world.Stop()
		}
	}()
	return m.Run()
}

// shared returns a control plane with one Headstart and a Prometheus that knows nothing, for tests that need no load. It starts
// with the first test that asks for it and ends with the last test. A test works in namespaces of its own.
func shared(t *testing.T) *harness.World {
	t.Helper()
	env.mu.Lock()
	defer env.mu.Unlock()
	if env.world == nil {
		opts := harness.WorldOptions{Layout: env.layout, Log: io.Discard, ControlPlane: controlplane.DefaultOptions(env.layout.Bin)}
		w, err := harness.NewWorld(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		env.world = w
	}
	if err := env.world.Failed(); err != nil {
		t.Fatal(err)
	}
	return env.world
}
