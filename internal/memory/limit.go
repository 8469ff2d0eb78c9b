package memory

import (
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// limitShare is the share of the container's limit that the Go runtime may use.
	limitShare = 0.9
	// gcPercent is the heap's growth between two collections. Most of the heap is history, which
	// has no pointers: to collect it more often costs little, and saves a third of the memory.
	gcPercent = 40
)

// Configure sets the memory limit of the Go runtime to nine tenths of the container's, and the
// collector to small steps. The variables GOMEMLIMIT and GOGC come first where they are set. root
// is the root of the file system.
func Configure(root fs.FS, getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if limit, ok := containerLimit(root); ok && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(limitShare * float64(limit)))
	}
}

// ConfigureProcess is Configure for this process.
func ConfigureProcess() { Configure(os.DirFS("/"), os.Getenv) }

// noLimit is from where on a limit of cgroup version 1 means that there is none.
const noLimit = 1 << 60

// containerLimit returns the memory limit of the container in bytes, from cgroup version 2 or 1. It
// reports false where there is none.
func containerLimit(root fs.FS) (uint64, bool) {
	for _, name := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63)
		return limit, err == nil && limit > 0 && limit < noLimit
	}
	return 0, false
}
