// Package e2e tests Headstart from end to end: the real control plane, the real Prometheus, the manifests, and headstart serve
// under the rights of its own ServiceAccount.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
)

// env is what tests share: where the binaries are.
var env struct{ layout controlplane.Layout }

func TestMain(m *testing.M) {
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// build makes what is missing, and headstart as it is now.
func build() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if env.layout, err = controlplane.FindLayout(); err != nil {
		return err
	}
	return errors.Join(env.layout.Binaries(ctx, os.Stderr, controlplane.Commands()...), env.layout.Headstart(ctx, os.Stderr))
}
