package forecaster

import (
	"math"
	"time"
)

// A controller turns the candidates' estimates into what is served, and learns from how that went.
type controller interface {
	// decide returns the demand to provision for from step i on. It looks at the steps before i.
	decide(t *track, i int, estimates []float64) float64
	// observe takes step i, just known, into account.
	observe(t *track, i int)
	// weights returns the share of each candidate in what is served.
	weights(candidates int) []float64
}

const (
	offsetCount = 13
	offsetReach = 0.4 // largest margin that an expert adds to or takes from its candidate, on the log scale
	coldness    = 100 // how sharply an expert's weight falls with its cost, relative to the least
	halfLife    = 24 * time.Hour
	maxBlocks   = 32 // bounds the work per step where the lead has many of them
)

// A mixer serves a shortage cost. Its experts are the candidates, each with a range of margins. Each expert's trailing cost is what a
// fleet that followed it would have paid, and missed at the shortage cost; what is served is their average, weighted by how close to
// the cheapest they came. Level, choice of model and trust in it are thereby one thing, learned from what happened.
//
// The fleets are played with twenty replicas at mean demand and a scale-down that waits five minutes: nothing better is known
// here, and a cost without whole replicas would leave more margin than a real fleet, which rounds up, needs.
type mixer struct {
	cost    float64 // of a missed unit, in units of serving it
	unit    float64 // demand that one replica serves
	forget  float64 // factor on trailing costs per block
	block   int     // steps between two decisions of the played fleets
	factors [offsetCount]float64

	trailing []float64   // cost of each expert
	wishes   [][]float32 // of the last blocks of a scale-down wait, a ring
	paid     [][]float32 // of the last blocks of a lead, a ring
	covers   []float64   // of each expert, now
	decided  int         // blocks decided so far
	top      float64     // largest demand of the current block
}

func newMixer(c Contract, t *track, candidates, day int) *mixer {
	m := &mixer{cost: c.ShortageCost, unit: 1.0 / 20, block: (t.lead + maxBlocks) / maxBlocks}
	half := float64(day)
	if day == 0 {
		half = clamp(float64(halfLife/t.step), 100, 1440)
	}
	m.forget = math.Exp2(-float64(m.block) / half)
	for k := range m.factors {
		m.factors[k] = math.Exp(offsetReach * (2*float64(k)/(offsetCount-1) - 1))
	}
	n := candidates * offsetCount
	m.trailing, m.covers = make([]float64, n), make([]float64, n)
	wait := min(maxBlocks, int(5*time.Minute/t.step)/m.block)
	m.wishes, m.paid = ring(wait+1, n), ring((t.lead+m.block-1)/m.block+1, n)
	return m
}

func ring(k, n int) [][]float32 {
	out := make([][]float32, k)
	for i := range out {
		out[i] = make([]float32, n)
	}
	return out
}

// decide returns the experts' average, weighted by trailing cost.
func (m *mixer) decide(t *track, i int, estimates []float64) float64 {
	floor := t.last()
	for c, q := range estimates {
		top := math.Exp(t.level[i] + q)
		for k, f := range m.factors {
			m.covers[c*offsetCount+k] = math.Max(floor, top*f-t.soft)
		}
	}
	if i%m.block == 0 {
		m.play()
	}
	least := m.least()
	sum, total := 0.0, 0.0
	for e, a := range m.trailing {
		if w := m.weight(a, least); w > 0 {
			sum += w * m.covers[e]
			total += w
		}
	}
	return sum / total
}

func (m *mixer) least() float64 {
	least := math.Inf(1)
	for _, a := range m.trailing {
		least = math.Min(least, a)
	}
	return least
}

func (m *mixer) weight(cost, least float64) float64 {
	if over := coldness * (cost - least) / math.Max(least, 1e-9); over < 20 {
		return math.Exp(-over)
	}
	return 0
}

// play lets every expert's fleet decide for the coming block.
func (m *mixer) play() {
	wish := m.wishes[m.decided%len(m.wishes)]
	for e, v := range m.covers {
		wish[e] = float32(math.Max(1, math.Ceil(v/m.unit)))
	}
	pay := m.paid[m.decided%len(m.paid)]
	copy(pay, wish)
	for _, w := range m.wishes {
		for e, v := range w {
			pay[e] = max(pay[e], v)
		}
	}
	m.decided++
	m.top = 0
}

// observe charges every expert at the end of a block.
func (m *mixer) observe(t *track, i int) {
	if t.sound[i] {
		m.top = math.Max(m.top, t.x[i])
	}
	if (i+1)%m.block != 0 || m.decided < len(m.paid) || !t.sound[i] {
		return
	}
	need := float32(m.top / m.unit)
	newest := m.paid[(m.decided-1)%len(m.paid)]
	for e, pay := range newest {
		ready := pay
		for _, p := range m.paid {
			ready = min(ready, p[e])
		}
		m.trailing[e] = m.trailing[e]*m.forget + float64(pay) + m.cost*float64(max(0, need-ready))
	}
}

// weights returns each candidate's share in what is served.
func (m *mixer) weights(candidates int) []float64 {
	out := make([]float64, candidates)
	least, total := m.least(), 0.0
	for e, a := range m.trailing {
		w := m.weight(a, least)
		out[e/offsetCount] += w
		total += w
	}
	for c := range out {
		out[c] /= total
	}
	return out
}
