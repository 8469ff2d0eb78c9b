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

	elsewhere = 0.35 // what a cost counts for in the other of quiet and busy times
)

// A mixer serves a shortage cost. Its experts are the candidates, each with a range of margins. Each expert's trailing cost is what a
// fleet that followed it would have paid, and missed at the shortage cost; what is served is their average, weighted by how close to
// the cheapest they came. Level, choice of model and trust in it are thereby one thing, learned from what happened.
//
// Two books are kept, of what was decided while demand was below its mean and above: what is noise in a busy hour is a multiple of demand in
// a quiet one, and a model may be good at one of them.
type mixer struct {
	fleets
	forget  float64 // factor on trailing costs per block
	factors [offsetCount]float64

	books    [2][]float64 // trailing cost of each expert, in quiet and in busy times
	busy     []bool       // which of them the decisions of the last lead were made in, a ring by step
	trailing []float64    // cost of each expert, as it counts now
	covers   []float64    // of each expert, now

	elsewhere float64 // what a cost counts for in the other book
}

func newMixer(o Options, t *track, candidates, day int) *mixer {
	n := candidates * offsetCount
	m := &mixer{
		fleets: newFleets(o.Contract.ShortageCost, t, n), busy: make([]bool, t.lead+1), trailing: make([]float64, n), covers: make([]float64, n),
		elsewhere: elsewhere,
	}
	for k := range m.books {
		m.books[k] = make([]float64, n)
	}
	half := float64(day)
	if day == 0 {
		half = clamp(float64(halfLife/t.step), 100, 1440)
	}
	m.forget = math.Exp2(-float64(m.block) / half)
	for k := range m.factors {
		m.factors[k] = math.Exp(offsetReach * (2*float64(k)/(offsetCount-1) - 1))
	}
	m.leaveOut(o)
	return m
}

// leaveOut takes away what an ablation is about.
func (m *mixer) leaveOut(o Options) {
	if !o.has(partMargins) {
		for k := range m.factors {
			m.factors[k] = 1
		}
	}
	if !o.has(partBooks) {
		m.elsewhere = 1
	}
	if !o.has(partReplicas) {
		m.unit, m.wishes = 1e-6, m.wishes[:1]
	}
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
	m.play(i, m.covers)
	busy := t.exp(t.level[i]) > 1
	m.busy[i%len(m.busy)] = busy
	here, other := m.book(busy), m.book(!busy)
	for e := range m.trailing {
		m.trailing[e] = here[e] + m.elsewhere*other[e]
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

func (m *mixer) book(busy bool) []float64 {
	if busy {
		return m.books[1]
	}
	return m.books[0]
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

// observe charges every expert at the end of a block, for what it decided a lead ago.
func (m *mixer) observe(t *track, i int) {
	busy := m.busy[max(0, i-t.lead)%len(m.busy)]
	here, other := m.book(busy), m.book(!busy)
	m.charge(t, i, func(e int, cost float64) {
		here[e] = here[e]*m.forget + cost
		other[e] *= m.forget
	})
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
