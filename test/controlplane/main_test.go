package controlplane_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
)

var layout controlplane.Layout

func TestMain(m *testing.M) {
	var err error
	if layout, err = controlplane.FindLayout(); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		err = layout.Binaries(ctx, os.Stderr, controlplane.Commands()...)
		cancel()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
