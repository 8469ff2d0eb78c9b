package binaries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Layout says where the parts of the repository are.
type Layout struct {
	// Root of the repository, with the main module.
	Root string
	// Module is the folder of the test module, whose go.mod pins the versions of the control plane.
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
			return Layout{}, fmt.Errorf(
				"find the repository: no folder above %s has go.mod and test/go.mod; run this inside a checkout", dir)
		}
	}
}

// lock makes sure that only one process at a time builds into l.Bin. It creates the folder if it is
// missing.
func (l Layout) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(l.Bin, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of binaries: %w", err)
	}
	return lock(ctx, filepath.Join(l.Bin, ".lock"))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
