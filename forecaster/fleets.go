package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/stats"
)

// maxBlocks bounds the work per step where the lead has many of them.
const maxBlocks = 32

// fleets play what replicas would have cost and missed under several promises at a time.
//
// Each has twenty replicas at mean demand and a scale-down that waits five minutes: nothing better is known here, and a cost without
// whole replicas would leave more margin than a real fleet, which rounds up, needs.
type fleets struct {
	cost    float64     // of a missed unit, in units of serving it
	most    float64     // share of demand that is charged as missed, at most
	unit    float64     // demand that one replica serves
	block   int         // steps between two decisions
	wishes  [][]float32 // of the last blocks of a scale-down wait, a ring
	paid    [][]float32 // of the last blocks of a lead, a ring
	ready   []float32   // by the newest block, of each fleet
	decided int         // blocks decided so far
	top     float64     // largest demand of the current block
}

// newFleets returns n fleets that pay cost for a missed unit.
func newFleets(cost float64, t *track, n int) fleets {
	f := fleets{cost: cost, most: mostMissed(cost), unit: 1.0 / 20, ready: make([]float32, n), block: (t.lead + maxBlocks) / maxBlocks}
	wait := min(maxBlocks, int(5*time.Minute/t.Step)/f.block)
	f.wishes, f.paid = ring(wait+1, n), ring((t.lead+f.block-1)/f.block+1, n)
	return f
}

// mostMissed is the share of demand that is charged as missed at once, at most: a jump that nobody foresaw would otherwise decide on the
// margins of the days after it. Under a high shortage cost there is little else to learn from, under a low one there is much.
func mostMissed(cost float64) float64 { return stats.Clamp(20/cost, 0.2, 1) }

func ring(k, n int) [][]float32 {
	out := make([][]float32, k)
	for i := range out {
		out[i] = make([]float32, n)
	}
	return out
}

// play lets every fleet decide before step i, where a block begins there.
func (f *fleets) play(i int, covers []float64) {
	if i%f.block != 0 {
		return
	}
	wish := f.wishes[f.decided%len(f.wishes)]
	for e, v := range covers {
		wish[e] = float32(math.Max(1, math.Ceil(v/f.unit)))
	}
	pay := f.paid[f.decided%len(f.paid)]
	copy(pay, wish)
	for _, w := range f.wishes {
		for e, v := range w {
			pay[e] = max(pay[e], v)
		}
	}
	f.decided++
	f.top = 0
}

// charge writes what each fleet paid and missed in the block that step i ends, and reports whether one ends there.
func (f *fleets) charge(t *track, i int, costs []float64) bool {
	if t.sound[i] {
		f.top = math.Max(f.top, t.x[i])
	}
	if (i+1)%f.block != 0 || f.decided < len(f.paid) || !t.sound[i] {
		return false
	}
	need := float32(f.top / f.unit)
	newest := f.paid[(f.decided-1)%len(f.paid)]
	copy(f.ready, newest)
	for _, paid := range f.paid {
		for e, pay := range paid {
			f.ready[e] = min(f.ready[e], pay)
		}
	}
	for e, pay := range newest {
		costs[e] = float64(pay) + f.cost*math.Min(float64(max(0, need-f.ready[e])), f.most*float64(need))
	}
	return true
}
