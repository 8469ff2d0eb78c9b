// Package convert_test applies what ScaledObjects are converted to to a real API server, with the
// CRDs of Headstart and KEDA.
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

// TestScaledObjects checks that the API server accepts the originals, and what they are converted to
// for each door.
func TestScaledObjects(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c, err := controlplane.Start(ctx, controlplane.DefaultOptions(layout.Bin))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
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
