// Package convert_test applies the output of headstart convert to a real API server, with the CRDs
// of Headstart and KEDA.
package convert_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// layout says where the binaries are.
var layout binaries.Layout

func TestMain(m *testing.M) { os.Exit(binaries.RunTests(m, &layout, binaries.WithHeadstart)) }

func TestConversionsAreAccepted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c := start(ctx, t)
	t.Run("GoldenFiles", func(t *testing.T) { acceptsGoldenFiles(ctx, t, c) })
	t.Run("ScaledObjects", func(t *testing.T) { acceptsScaledObjects(ctx, t, c) })
}

// start returns a control plane that has the kinds of Headstart and KEDA.
func start(ctx context.Context, t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	c, err := controlplane.Start(ctx, controlplane.DefaultOptions(layout.Bin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	crds := filepath.Join(layout.Root, "manifests", "base", "crds")
	if _, err := c.Kubectl(ctx, nil, "apply", "--server-side", "-k", crds); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitCRDs(ctx, harness.CRDs()...); err != nil {
		t.Fatal(err)
	}
	if err := harness.InstallKEDACRDs(ctx, c, layout); err != nil {
		t.Fatal(err)
	}
	return c
}

// acceptsGoldenFiles applies the output for the objects of other projects, which is compared in the
// tests of the converter.
func acceptsGoldenFiles(ctx context.Context, t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	pattern := filepath.Join(layout.Root, "scheduler", "convert", "testdata", "*.golden.yaml")
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) < 5 {
		t.Fatalf("%d conversions, %v", len(files), err)
	}
	for _, ns := range []string{"web", "shop"} {
		if err := c.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+ns+"}\n"); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		if out, err := c.Kubectl(ctx, nil, "apply", "--dry-run=server", "-f", file); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(file), err, out)
		}
	}
}

// acceptsScaledObjects applies ScaledObjects as people write them, and what they are converted to
// for each door.
func acceptsScaledObjects(ctx context.Context, t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	file := filepath.Join(layout.Root, "scheduler", "convert", "testdata", "scaledobjects.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	accepts := func(name string, text []byte) {
		t.Helper()
		out, err := c.Kubectl(ctx, text, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		want := strings.Count(string(text), "---\n")
		if got := strings.Count(out, "(server dry run)"); got != want || want < 30 {
			t.Errorf("%s: %d objects are accepted, want %d:\n%s", name, got, want, out)
		}
		t.Logf("%s: %d objects are accepted", name, want)
	}
	accepts("the originals", text)
	for _, d := range []string{"", "external", "object", "keda"} {
		args := []string{"convert", file}
		if d != "" {
			args = append(args, "--door", d)
		}
		converted, err := exec.CommandContext(ctx, filepath.Join(layout.Bin, "headstart"), args...).Output()
		if err != nil {
			t.Errorf("door %q: %v", d, err)
		}
		accepts(fmt.Sprintf("door %q", d), converted)
	}
}
