package binaries

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// A Command is a program that the tests run, such as one of the control plane. A go.mod file of the
// test module pins its version.
type Command struct {
	// Name of the binary.
	Name string
	// Package that it is built from.
	Package string
	// Modfile is the file in the folder of the test module that pins the version; go.mod when it is
	// empty.
	Modfile string
}

// Commands returns all programs of the control plane.
func Commands() []Command {
	return []Command{
		{Name: "etcd", Package: "go.etcd.io/etcd/server/v3"},
		{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver"},
		{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager"},
		{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/kube-scheduler"},
		{Name: "kwok", Package: "sigs.k8s.io/kwok/cmd/kwok"},
		{Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl"},
		{Name: "prometheus", Package: "github.com/prometheus/prometheus/cmd/prometheus"},
		{Name: "promtool", Package: "github.com/prometheus/prometheus/cmd/promtool"},
	}
}

// TestAdapter returns custom-metrics-apiserver's own test adapter. The benchmarks compare
// Headstart's adapter with it. It is not among [Commands]: pass it to [Layout.Build] where it is
// needed.
func TestAdapter() Command {
	return Command{Name: "test-adapter", Package: "sigs.k8s.io/custom-metrics-apiserver/test-adapter"}
}

// KEDA returns KEDA's operator and its metrics adapter, for the tests with KEDA. They link every
// scaler that KEDA has. So they have a modfile of their own, and take longer to build than the
// control plane. They are not among [Commands]: pass them to [Layout.Build] where they are needed.
func KEDA() []Command {
	const modfile = "go.keda.mod"
	return []Command{
		{Name: "keda-operator", Package: "github.com/kedacore/keda/v2/cmd/operator", Modfile: modfile},
		{Name: "keda-adapter", Package: "github.com/kedacore/keda/v2/cmd/adapter", Modfile: modfile},
	}
}

// Flags and environment of every build. hack/build.sh has the same ones. Only with equal compiler
// flags are packages that two programs share compiled once.
//
//   - Without cgo, no package depends on a C compiler, and the packages above net are the same for
//     all programs.
//   - Without DWARF, which the linker would drop because of -s -w, the compiler saves about a sixth
//     of its time.
//   - -trimpath leaves out the paths of the machine.
var (
	buildEnv   = []string{"CGO_ENABLED=0"}
	buildFlags = []string{"-trimpath", "-gcflags=all=-dwarf=false"}
)

// commandFlags set the version of Kubernetes. They leave out the service discovery of cloud
// providers, which is most of Prometheus.
var commandFlags = []string{
	"-tags", "remove_all_sd", "-ldflags",
	"-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1" +
		" -X k8s.io/component-base/version.gitMinor=37",
}

// upToDate reports whether the binary was built from the pinned versions, with this version of Go
// and with the current flags.
func (l Layout) upToDate(c Command, pinned map[string]string) bool {
	info, err := buildinfo.ReadFile(filepath.Join(l.Bin, c.Name))
	if err != nil || info.Path != c.Package || info.GoVersion != runtime.Version() {
		return false
	}
	// -trimpath keeps the flags out of the build information. So a file next to the binary has a hash
	// of them. A binary without that file was built by hand, and is used as it is.
	if got, err := os.ReadFile(l.flagsFile(c)); err == nil && string(got) != flagsHash(c) {
		return false
	}
	for _, m := range append(info.Deps, &info.Main) {
		version := m.Version
		if m.Replace != nil {
			version = m.Replace.Version
		}
		if pinned[m.Path] != version {
			return false
		}
	}
	return true
}

func (l Layout) flagsFile(c Command) string { return filepath.Join(l.Bin, "."+c.Name+".flags") }

// flagsHash returns a hash of the package and of all flags.
func flagsHash(c Command) string {
	lines := append([]string{c.Package}, buildEnv...)
	lines = append(append(lines, buildFlags...), commandFlags...)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}

// pinnedVersions reads the versions that a modfile requires, with its replace directives applied.
// The go command keeps modfiles complete: they name every module that a command is built from.
func pinnedVersions(ctx context.Context, file string) (map[string]string, error) {
	out, err := exec.CommandContext(ctx, "go", "mod", "edit", "-json", file).Output()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, withStderr(err))
	}
	type version struct{ Path, Version string }
	var mod struct {
		Require []version
		Replace []struct{ Old, New version }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	pinned := make(map[string]string, len(mod.Require))
	for _, r := range mod.Require {
		pinned[r.Path] = r.Version
	}
	for _, r := range mod.Replace {
		pinned[r.Old.Path] = r.New.Version
	}
	return pinned, nil
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// defaultName returns the name that the go command gives to the binary of a package. It is the last
// element of the path that is not a version.
func defaultName(pkg string) string {
	if majorVersion.MatchString(path.Base(pkg)) {
		pkg = path.Dir(pkg)
	}
	return path.Base(pkg)
}

func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
