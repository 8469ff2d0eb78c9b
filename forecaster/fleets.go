package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	// maxBlocks bounds the work per step when the lead has many steps.
	maxBlocks = 32
	// fleetReplicas is how many replicas serve mean demand.
	fleetReplicas = 20
	// fleetWait is how long a scale-down waits.
	fleetWait = 5 * time.Minute
)

// fleets simulate what replicas would have cost and missed under several policies at a time.
//
// Each has twenty replicas at mean demand and a scale-down that waits five minutes, since nothing
// better is known here. A cost without whole replicas would leave more margin than a real fleet
// needs, which rounds up.
type fleets struct {
	shortageCost float64 // of a missed unit, in units of serving it
	unit         float64 // demand that one replica serves
	block        int     // steps between two decisions
	decided      int     // blocks decided so far
	largest      float64 // largest demand of the current block

	// Replicas of each fleet, as rings by block.
	desired   [][]float32 // in the blocks that a scale-down waits
	requested [][]float32 // in the blocks of a lead: they are paid for
	ready     []float32   // now
}

// newFleets returns n fleets that pay shortageCost for a missed unit.
func newFleets(shortageCost float64, h *past.History, n int) fleets {
	f := fleets{
		shortageCost: shortageCost, unit: 1.0 / fleetReplicas,
		ready: make([]float32, n), block: (h.Lead + maxBlocks) / maxBlocks,
	}
	wait := min(maxBlocks, int(fleetWait/h.Step)/f.block)
	f.desired, f.requested = newRing(wait+1, n), newRing((h.Lead+f.block-1)/f.block+1, n)
	return f
}

// maxMissed returns the share of demand that is charged as missed at once, at most. Otherwise a
// jump that nobody foresaw would decide on the margins of the days after it. Under a high shortage
// cost there is little else to learn from, under a low one there is much.
func maxMissed(shortageCost float64) float64 { return stats.Clamp(20/shortageCost, 0.2, 1) }

func newRing(blocks, n int) [][]float32 {
	out := make([][]float32, blocks)
	for i := range out {
		out[i] = make([]float32, n)
	}
	return out
}

// decide sets the desired replicas of every fleet before step i, when a block begins there. covers
// are the demands to provision for.
func (f *fleets) decide(i int, covers []float64) {
	if i%f.block != 0 {
		return
	}
	desired := f.desired[f.decided%len(f.desired)]
	for e, v := range covers {
		desired[e] = float32(max(1, math.Ceil(v/f.unit)))
	}
	requested := f.requested[f.decided%len(f.requested)]
	copy(requested, desired)
	for _, earlier := range f.desired {
		for e, v := range earlier {
			if v > requested[e] {
				requested[e] = v
			}
		}
	}
	f.decided++
	f.largest = 0
}

// observe looks at step i. When the step ends a block, observe writes what each fleet paid and
// missed in it to costs, in replicas. It reports whether it did.
func (f *fleets) observe(h *past.History, i int, costs []float64) bool {
	paid, need, ok := f.follow(h, i)
	if ok {
		f.charge(f.shortageCost, paid, need, costs)
	}
	return ok
}

// follow looks at step i. When the step ends a block, follow returns what each fleet pays and what
// is needed, in replicas, and sets what is ready.
func (f *fleets) follow(h *past.History, i int) (paid []float32, need float32, ok bool) {
	if h.ObservedAt(i) {
		f.largest = math.Max(f.largest, h.DemandAt(i))
	}
	if (i+1)%f.block != 0 || f.decided < len(f.requested) || !h.ObservedAt(i) {
		return nil, 0, false
	}
	newest := f.requested[(f.decided-1)%len(f.requested)]
	copy(f.ready, newest)
	for _, requested := range f.requested {
		for e, v := range requested {
			if v < f.ready[e] {
				f.ready[e] = v
			}
		}
	}
	return newest, float32(f.largest / f.unit), true
}

// charge writes the cost of each fleet.
func (f *fleets) charge(shortageCost float64, paid []float32, need float32, costs []float64) {
	most := maxMissed(shortageCost) * float64(need)
	for e, p := range paid {
		costs[e] = float64(p) + shortageCost*min(float64(max(0, need-f.ready[e])), most)
	}
}
