package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

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

// buildTime bounds how long everything takes to build with an empty cache.
const buildTime = time.Hour

// Built finds the repository and builds what is missing of the control plane.
func Built(ctx context.Context, progress io.Writer) (Layout, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	l, err := FindLayout()
	if err != nil {
		return Layout{}, err
	}
	return l, l.Binaries(ctx, progress, Commands()...)
}

// BuiltWithHeadstart is [Built], and builds headstart as it is now.
func BuiltWithHeadstart(ctx context.Context, progress io.Writer) (Layout, error) {
	l, err := Built(ctx, progress)
	if err != nil {
		return Layout{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	return l, l.Headstart(ctx, progress)
}

// RunTests is what a TestMain does whose tests need binaries: it has them built, before the time of the tests counts, and returns the exit
// code. The layout is there before the first test.
func RunTests(m interface{ Run() int }, into *Layout, build func(context.Context, io.Writer) (Layout, error)) int {
	layout, err := build(context.Background(), os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*into = layout
	return m.Run()
}

// Headstart builds bin/headstart from the main module, as `make build` does. The go command's own cache makes that quick when nothing
// changed.
func (l Layout) Headstart(ctx context.Context, progress io.Writer) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b := builder{dir: l.Root, bin: l.Bin, progress: progress}
	return b.run(ctx, "headstart", filepath.Join("hack", "build.sh"), filepath.Join(l.Bin, "headstart"))
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
