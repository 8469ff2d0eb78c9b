package binaries

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDefaultName(t *testing.T) {
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":        "server",
		"k8s.io/kubernetes/cmd/kubectl":    "kubectl",
		"example.com/v2/tool":              "tool",
		"example.com/cmd/vault":            "vault",
		"sigs.k8s.io/x/test-adapter/v1000": "test-adapter",
	} {
		if got := defaultName(pkg); got != want {
			t.Errorf("defaultName(%q) = %q, want %q", pkg, got, want)
		}
	}
	// All are built into one folder, so no two may have the same name there.
	var names []string
	all := append(append(Commands(), TestAdapter()), KEDA()...)
	for _, c := range all {
		names = append(names, defaultName(c.Package))
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(all) {
		t.Errorf("two commands are built into the same file: %q", names)
	}
}

// TestOneSetOfFlags checks that hack/build.sh compiles as Build does: else what they share is
// compiled twice.
func TestOneSetOfFlags(t *testing.T) {
	l, err := FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(l.Root, "hack", "build.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range append(buildEnv, buildFlags...) {
		if !bytes.Contains(script, []byte(flag)) {
			t.Errorf("hack/build.sh has no %s", flag)
		}
	}
}

func TestRun(t *testing.T) {
	var progress bytes.Buffer
	b := builder{dir: t.TempDir(), progress: &progress}
	script := func(s string) error { return b.run(t.Context(), "it", "sh", "-c", s) }
	if err := script("echo internal/abi >&2; echo k8s.io/api/core/v1 >&2"); err != nil {
		t.Error(err)
	}
	if got := progress.String(); got != "" {
		t.Errorf("a quick build is shown: %q", got)
	}
	err := script(`echo internal/abi >&2; echo '# x/y' >&2; echo 'y.go:1:1: syntax error' >&2; exit 3`)
	if err == nil || !strings.Contains(err.Error(), "build it: exit status 3\n# x/y\ny.go:1:1: syntax error\n") {
		t.Errorf("error %v: want what the compiler says", err)
	}
	if err := script("sleep 2.5; echo internal/abi >&2"); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(progress.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "building it") || !strings.Contains(lines[1], "built    it") ||
		!strings.HasSuffix(lines[1], " 1 packages compiled") {
		t.Errorf("progress %q: want a line while it is built and one at the end", lines)
	}
}

// TestUpToDate checks what makes a binary be built again. The binary is the one of this test.
func TestUpToDate(t *testing.T) {
	l := Layout{Bin: t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(l.Bin, "tool")); err != nil {
		t.Fatal(err)
	}
	c := Command{Name: "tool", Package: "headstart.dev/headstart/test/binaries.test"}
	layout, err := FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := pinnedVersions(t.Context(), filepath.Join(layout.Module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if pinned["k8s.io/kubernetes"] == "" {
		t.Error("the versions in go.mod have none of Kubernetes")
	}
	pinned["headstart.dev/headstart/test"] = "(devel)"
	if !l.upToDate(c, pinned) {
		t.Error("a binary of the pinned versions is out of date")
	}
	if l.upToDate(Command{Name: "other", Package: c.Package}, pinned) {
		t.Error("a binary that is missing is up to date")
	}
	if l.upToDate(Command{Name: "tool", Package: "example.com/other"}, pinned) {
		t.Error("a binary of another package is up to date")
	}
	for _, flags := range []string{flagsHash(c), "old"} {
		if err := os.WriteFile(l.flagsFile(c), []byte(flags), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := l.upToDate(c, pinned), flags == flagsHash(c); got != want {
			t.Errorf("up to date = %t with the flags %q, want %t", got, flags, want)
		}
	}
	if err := os.Remove(l.flagsFile(c)); err != nil {
		t.Fatal(err)
	}
	pinned["headstart.dev/headstart/test"] = "v0.0.1"
	if l.upToDate(c, pinned) {
		t.Error("a binary of other versions than the pinned ones is up to date")
	}
}
