package memory

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

func TestNext(t *testing.T) {
	cases := map[string]struct {
		reason  string
		now     Level
		percent uint64
		want    Level
	}{
		"much room":     {"nothing is left out", Enough, 30, Enough},
		"just below":    {"a level begins at its threshold", Enough, 59, Enough},
		"first":         {"the cheapest measure comes first", Enough, 60, FewerModels},
		"jump":          {"a process that grows fast must not pass all levels one by one", Enough, 90, NoNewForecasts},
		"over":          {"use can be above the limit for a moment", FewerModels, 130, NoNewForecasts},
		"hysteresis":    {"what a level saved must not end it", NoNewForecasts, 68, NoNewForecasts},
		"fall":          {"a level ends well below its threshold", NoNewForecasts, 66, RarerFits},
		"fall by one":   {"levels end one at a time", NoNewForecasts, 0, RarerFits},
		"end":           {"the last one ends too", FewerModels, 51, Enough},
		"rise while up": {"a higher level can begin from any lower one", RarerFits, 76, NoNewForecasts},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Next(c.now, Use{Live: c.percent, Limit: 100}); got != c.want {
				t.Errorf("level %d at %d %% becomes %d, want %d: %s", c.now, c.percent, got, c.want, c.reason)
			}
		})
	}
	if got := Next(Enough, Use{Live: math.MaxUint64}); got != Enough {
		t.Errorf("without a limit: level %d", got)
	}
}

// At a constant use the level settles, and it never swings.
func TestNextSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		use := Use{Live: rapid.Uint64Range(0, 200).Draw(t, "use"), Limit: 100}
		level := Level(rapid.IntRange(int(Enough), int(NoNewForecasts)).Draw(t, "level"))
		up, down := false, false
		for range 10 {
			next := Next(level, use)
			up, down = up || next > level, down || next < level
			level = next
		}
		if up && down || Next(level, use) != level {
			t.Fatalf("the level swings, or does not settle: it is %d", level)
		}
	})
}

func TestContainerLimit(t *testing.T) {
	const v2, v1 = "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"
	cases := map[string]struct {
		reason string
		files  map[string]string
		want   uint64
	}{
		"version 2":  {"a limit is a number of bytes", map[string]string{v2: "536870912\n"}, 512 << 20},
		"version 1":  {"older nodes have another file", map[string]string{v1: "1073741824\n"}, 1 << 30},
		"no limit":   {"max is no limit", map[string]string{v2: "max\n"}, 0},
		"v1 without": {"a huge number is no limit", map[string]string{v1: "9223372036854771712\n"}, 0},
		"nothing":    {"not every system has cgroups", nil, 0},
		"broken":     {"what is no number is no limit", map[string]string{v2: "-1"}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for path, text := range c.files {
				root[path] = &fstest.MapFile{Data: []byte(text)}
			}
			got, ok := containerLimit(root)
			if !ok {
				got = 0
			}
			if got != c.want || ok != (c.want > 0) {
				t.Errorf("%d, %v, want %d: %s", got, ok, c.want, c.reason)
			}
		})
	}
}

func TestConfigure(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	defer func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(percent) }()
	root := fstest.MapFS{"sys/fs/cgroup/memory.max": &fstest.MapFile{Data: []byte("1000000000")}}
	set := func(name string) string { return map[string]string{"GOMEMLIMIT": "1GiB", "GOGC": "70"}[name] }
	Configure(root, set)
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("GOMEMLIMIT is set, and the limit became %d", got)
	}
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GOGC is set, and the collector's percentage became %d", got)
	}
	Configure(root, func(string) string { return "" })
	if got := debug.SetMemoryLimit(-1); got != 900_000_000 {
		t.Errorf("the limit is %d, want 9 tenths of 1,000,000,000", got)
	}
	if use := OfProcess(); use.Limit != 900_000_000 {
		t.Errorf("the use is %+v", use)
	}
}

// The use grows with what is kept, and not with garbage.
func TestOfProcess(t *testing.T) {
	const size = 64 << 20
	runtime.GC()
	before := OfProcess().Live
	kept := make([]byte, size)
	runtime.GC()
	with := OfProcess().Live
	kept[os.Getpid()%size] = 1
	runtime.KeepAlive(kept)
	if grown := int64(with) - int64(before); grown < size/2 || grown > 2*size { //nolint:gosec // small
		t.Errorf("the use grew by %d for %d bytes", grown, size)
	}
}
