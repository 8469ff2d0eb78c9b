package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// buildFlags stamp the Kubernetes version, leave out the symbols (half the size) and the paths of the machine.
var buildFlags = []string{
	"-trimpath",
	"-ldflags",
	"-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1" +
		" -X k8s.io/component-base/version.gitMinor=37",
}

// A Command is a binary that is built from a package of a pinned module.
type Command struct {
	// Name of the binary.
	Name string
	// Package that it is built from.
	Package string
	// Cold is roughly how long the first build takes on two cores, for the message that says so.
	Cold time.Duration
}

// Commands returns everything that the control plane is made of, in the order in which the build cache is used best.
func Commands() []Command {
	return []Command{
		{"etcd", "go.etcd.io/etcd/server/v3", 90 * time.Second},
		{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", 6 * time.Minute},
		{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", 190 * time.Second},
		{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", 20 * time.Second},
		{"kwok", "sigs.k8s.io/kwok/cmd/kwok", 20 * time.Second},
		{"kubectl", "k8s.io/kubernetes/cmd/kubectl", 30 * time.Second},
		{"prometheus", "github.com/prometheus/prometheus/cmd/prometheus", 5 * time.Minute},
		{"promtool", "github.com/prometheus/prometheus/cmd/promtool", 15 * time.Second},
	}
}

// TestAdapter is custom-metrics-apiserver's own test adapter, the floor that Headstart's adapter is measured against. It
// is no part of the control plane: pass it to [Binaries] where it is needed.
func TestAdapter() Command {
	return Command{"test-adapter", "sigs.k8s.io/custom-metrics-apiserver/test-adapter", 20 * time.Second}
}

// Layout says where the parts of the repository are.
type Layout struct {
	// Root of the repository, with the main module.
	Root string
	// Module is the folder of the test module, whose go.mod pins the versions.
	Module string
	// Bin is the folder that binaries are built into.
	Bin string
}

// FindLayout walks up from the working directory to the root of the repository.
func FindLayout() (Layout, error) {
	dir, err := os.Getwd()
	if err != nil {
		return Layout{}, fmt.Errorf("find the repository: %w", err)
	}
	for d := dir; ; d = filepath.Dir(d) {
		if isFile(filepath.Join(d, "go.mod")) && isFile(filepath.Join(d, "test", "go.mod")) {
			return Layout{Root: d, Module: filepath.Join(d, "test"), Bin: filepath.Join(d, "bin")}, nil
		}
		if d == filepath.Dir(d) {
			return Layout{}, fmt.Errorf("find the repository: no folder above %s has go.mod and test/go.mod; run this inside a checkout", dir)
		}
	}
}

// Headstart builds bin/headstart from the main module. The go command's own cache makes that quick when nothing changed.
func (l Layout) Headstart(ctx context.Context, progress io.Writer) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b := builder{dir: l.Root, bin: l.Bin, progress: progress}
	// The flags of `make build`, so that both share the build cache.
	flags := []string{"-trimpath", "-ldflags", "-s -w"}
	return b.build(ctx, Command{Name: "headstart", Package: "./cmd/headstart", Cold: 2 * time.Minute}, flags, "CGO_ENABLED=0")
}

// Helm builds bin/helm, at the version that go.helm.mod of the main module pins. It renders the chart, and is no part of the control plane.
func (l Layout) Helm(ctx context.Context, progress io.Writer) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b := builder{dir: l.Root, bin: l.Bin, progress: progress}
	// The flags of the Makefile.
	flags := []string{"-modfile=go.helm.mod", "-trimpath", "-ldflags", "-s -w"}
	return b.build(ctx, Command{Name: "helm", Package: "helm.sh/helm/v4/cmd/helm", Cold: 2 * time.Minute}, flags)
}

// lock has one process at a time build into l.Bin; it makes the folder where it is missing.
func (l Layout) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(l.Bin, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of binaries: %w", err)
	}
	return lock(ctx, filepath.Join(l.Bin, ".lock"))
}

// Binaries builds those of the commands that are missing from l.Bin, or that were built from other versions than the go.mod of
// the test module pins, and says so on progress. One process at a time builds; others wait for it.
func (l Layout) Binaries(ctx context.Context, progress io.Writer, commands ...Command) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	pinned, err := pinnedVersions(ctx, l.Module)
	if err != nil {
		return err
	}
	var missing []Command
	var total time.Duration
	for _, c := range commands {
		if !l.upToDate(c, pinned) {
			missing = append(missing, c)
			total += c.Cold
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "Building %d of %d binaries of the control plane into %s, once; with an empty build cache and two cores "+
		"this takes about %s.\n", len(missing), len(commands), l.Bin, total.Round(time.Minute))
	b := builder{dir: l.Module, bin: l.Bin, progress: progress}
	for _, c := range missing {
		if err := b.build(ctx, c, buildFlags); err != nil {
			return err
		}
		if err := os.WriteFile(l.stampFile(c), []byte(stamp(c)), 0o644); err != nil {
			return fmt.Errorf("stamp %s: %w", c.Name, err)
		}
	}
	return nil
}

// upToDate compares the versions that the binary says it was built from with those that are pinned now.
func (l Layout) upToDate(c Command, pinned map[string]string) bool {
	info, err := buildinfo.ReadFile(filepath.Join(l.Bin, c.Name))
	if err != nil || info.Path != c.Package || info.GoVersion != runtime.Version() {
		return false
	}
	// -trimpath keeps the flags out of the build information, so a file beside the binary has them. A binary without one
	// was built by hand.
	if got, err := os.ReadFile(l.stampFile(c)); err == nil && string(got) != stamp(c) {
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

func (l Layout) stampFile(c Command) string { return filepath.Join(l.Bin, "."+c.Name+".flags") }

func stamp(c Command) string {
	sum := sha256.Sum256([]byte(c.Package + "\n" + strings.Join(buildFlags, "\n")))
	return hex.EncodeToString(sum[:8])
}

// pinnedVersions reads the versions that go.mod requires, after its replacements. It names every module that a command is
// built from, because the go command keeps it so.
func pinnedVersions(ctx context.Context, module string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "edit", "-json")
	cmd.Dir = module
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read %s/go.mod: %w", module, withStderr(err))
	}
	type version struct{ Path, Version string }
	var mod struct {
		Require []version
		Replace []struct{ Old, New version }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("read %s/go.mod: %w", module, err)
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

// builder runs go build and shows the seconds while it runs.
type builder struct {
	dir, bin string
	progress io.Writer
}

func (b builder) build(ctx context.Context, c Command, flags []string, env ...string) error {
	target := filepath.Join(b.bin, c.Name)
	args := append(append([]string{"build"}, flags...), "-o", target, c.Package)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go removes its temporary files
	cmd.WaitDelay = 10 * time.Second
	began := time.Now()
	stop := tick(b.progress, c.Name, began)
	err := cmd.Run()
	stop(err == nil)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("build %s: %w", c.Name, ctx.Err())
		}
		return fmt.Errorf("build %s: %w\n%s\nThe first build needs a Go module proxy (GOPROXY) that can be reached", c.Name, err,
			strings.TrimSpace(stderr.String()))
	}
	return nil
}

// tick shows what is built and the seconds gone by: on one line that is rewritten on a terminal, as two lines elsewhere. A
// build of under two seconds is not worth a line.
func tick(w io.Writer, name string, began time.Time) (stop func(ok bool)) {
	tty := isTerminal(w)
	done, ended := make(chan struct{}), make(chan struct{})
	said := false
	go func() {
		defer close(ended)
		timer := time.NewTimer(2 * time.Second)
		defer timer.Stop()
		for {
			select {
			case <-done:
				return
			case <-timer.C:
				if tty {
					fmt.Fprintf(w, "\r  building %-24s %4.0f s", name, time.Since(began).Seconds())
				} else if !said {
					fmt.Fprintf(w, "  building %s ...\n", name)
				}
				said = true
				timer.Reset(time.Second)
			}
		}
	}()
	return func(ok bool) {
		close(done)
		<-ended
		if !said {
			return
		}
		prefix, verb := "", "built"
		if tty {
			prefix = "\r"
		}
		if !ok {
			verb = "failed"
		}
		fmt.Fprintf(w, "%s  %-8s %-24s %4.0f s\n", prefix, verb, name, time.Since(began).Seconds())
	}
}

func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
