// Package warm tests from end to end what gpuwarm does ahead of a plan: the warmer under the rights of its own ServiceAccount, on a real
// control plane with a scheduler and simulated nodes.
package warm

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
)

// env is what tests share: where the binaries are.
var env struct{ layout controlplane.Layout }

// namespace of the service that is warmed for.
const namespace = "shop"

func TestMain(m *testing.M) {
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// build makes what is missing.
func build() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if env.layout, err = controlplane.FindLayout(); err != nil {
		return err
	}
	return env.layout.Binaries(ctx, os.Stderr, controlplane.Commands()...)
}
