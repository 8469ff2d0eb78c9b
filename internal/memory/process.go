package memory

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
)

// OfProcess returns the use of this process, under the limit of the Go runtime (GOMEMLIMIT).
func OfProcess() Use {
	const live, objects = "/gc/heap/live:bytes", "/memory/classes/heap/objects:bytes"
	const free, unused = "/memory/classes/heap/free:bytes", "/memory/classes/heap/unused:bytes"
	const released, total = "/memory/classes/heap/released:bytes", "/memory/classes/total:bytes"
	samples := []metrics.Sample{
		{Name: live}, {Name: objects}, {Name: free}, {Name: unused}, {Name: released}, {Name: total},
	}
	metrics.Read(samples)
	bytes := map[string]uint64{}
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			bytes[s.Name] = s.Value.Uint64()
		}
	}
	heap := bytes[objects] + bytes[free] + bytes[unused] + bytes[released]
	use := Use{Live: bytes[live]}
	if bytes[total] > heap { // Stacks, and what the runtime itself needs.
		use.Live += bytes[total] - heap
	}
	if limit := debug.SetMemoryLimit(-1); limit > 0 && limit < math.MaxInt64 {
		use.Limit = uint64(limit)
	}
	return use
}
