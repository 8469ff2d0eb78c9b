package forecaster

import "runtime"

// keptBytes returns how much of the heap each of n Forecasters keeps.
func keptBytes(n int) int {
	s := month()
	before := heap()
	kept := make([]*Forecaster, n)
	for i := range kept {
		f, err := New(Options{Step: s.Step, Lead: 10, Horizon: 1440, Contract: Contract{ShortageCost: 20}})
		if err == nil {
			err = f.Start(s)
		}
		if err != nil {
			panic(err)
		}
		f.Shrink(s)
		kept[i] = f
	}
	bytes := int(heap()) - int(before) //nolint:gosec // small
	runtime.KeepAlive(kept)
	runtime.KeepAlive(s)
	return bytes / n
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
