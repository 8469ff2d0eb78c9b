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

// builder runs a build and shows the seconds while it runs.
type builder struct {
	dir, bin string
	progress io.Writer
}

// build builds a command of a module with the go command.
func (b builder) build(ctx context.Context, c Command, flags []string) error {
	args := append(append([]string{"build"}, flags...), "-o", filepath.Join(b.bin, c.Name), c.Package)
	return b.run(ctx, c.Name, "go", args...)
}

// run runs what builds the binary of a name.
func (b builder) run(ctx context.Context, name, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = b.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go removes its temporary files
	cmd.WaitDelay = 10 * time.Second
	began := time.Now()
	stop := tick(b.progress, name, began)
	err := cmd.Run()
	stop(err == nil)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("build %s: %w", name, ctx.Err())
		}
		return fmt.Errorf("build %s: %w\n%s\nThe first build needs a Go module proxy (GOPROXY) that can be reached", name, err,
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
