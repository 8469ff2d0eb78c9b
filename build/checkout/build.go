package checkout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Platform is what a binary runs on.
type Platform struct{ OS, Arch string }

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Executable returns the name of a program's file on the platform.
func (p Platform) Executable(name string) string {
	if p.OS == "windows" {
		return name + ".exe"
	}
	return name
}

// ParsePlatforms reads a list such as "linux/amd64,darwin/arm64".
func ParsePlatforms(list string) ([]Platform, error) {
	var platforms []Platform
	for text := range strings.SplitSeq(list, ",") {
		os, arch, ok := strings.Cut(text, "/")
		if !ok || os == "" || arch == "" {
			return nil, fmt.Errorf("platform %q is not one such as linux/amd64", text)
		}
		platforms = append(platforms, Platform{os, arch})
	}
	return platforms, nil
}

// environ are the settings of a build. Those of the user's machine must not change the result.
func (c Checkout) environ(p Platform) []string {
	return []string{
		"GOOS=" + p.OS, "GOARCH=" + p.Arch, "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0",
		"GOWORK=off", "VERSION=" + c.Version, "COMMIT=" + c.Commit,
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(c.Date.Unix(), 10),
	}
}

// Build builds headstart for a platform into a file.
func (c Checkout) Build(ctx context.Context, p Platform, file string) error {
	if _, err := c.run(ctx, c.environ(p), c.File("hack/build.sh"), file); err != nil {
		return fmt.Errorf("build for %s: %w", p, err)
	}
	return nil
}

// BuildWithSymbols builds headstart with the names of its functions and variables.
func (c Checkout) BuildWithSymbols(ctx context.Context, p Platform, file string) error {
	_, err := c.run(ctx, c.environ(p), "go", "build", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false",
		"-ldflags=-w", "-o", file, "./cmd/headstart")
	if err != nil {
		return fmt.Errorf("build for %s: %w", p, err)
	}
	return nil
}

// Package is a package that is linked into headstart.
type Package struct {
	ImportPath, Dir string
	Standard        bool
	Module          *Module
}

// Module is where a package comes from.
type Module struct {
	Path, Version, Dir string
	Main               bool
}

// Packages lists the packages that are linked into headstart on any of the platforms, by import
// path.
func (c Checkout) Packages(ctx context.Context, platforms ...Platform) ([]Package, error) {
	found := map[string]Package{}
	for _, p := range platforms {
		out, err := c.run(ctx, c.environ(p), "go", "list", "-deps", "-json=ImportPath,Dir,Standard,Module", "./cmd/headstart")
		if err != nil {
			return nil, fmt.Errorf("list the packages for %s: %w", p, err)
		}
		for decoder := json.NewDecoder(strings.NewReader(out)); ; {
			var pkg Package
			if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("read the list of packages: %w", err)
			}
			found[pkg.ImportPath] = pkg
		}
	}
	packages := slices.Collect(maps.Values(found))
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return packages, nil
}

// GoLicense returns the path of the licence of the Go toolchain, whose standard library is linked.
func (c Checkout) GoLicense(ctx context.Context) (string, error) {
	root, err := c.run(ctx, []string{"GOFLAGS="}, "go", "env", "GOROOT")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(root) + "/LICENSE", nil
}

// GoVersion returns the version of the toolchain, such as go1.26.8.
func (c Checkout) GoVersion(ctx context.Context) (string, error) {
	version, err := c.run(ctx, []string{"GOFLAGS="}, "go", "env", "GOVERSION")
	return strings.TrimSpace(version), err
}
