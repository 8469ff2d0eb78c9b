package forecaster

import (
	"math"

	"headstart.dev/headstart/forecaster/internal/stats"
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
)

// A mixer serves a shortage cost. Its experts are the candidates, each with a range of margins. Each expert's trailing cost is what a
// fleet that followed it would have paid, and missed at the shortage cost; what is served is their average, weighted by how close to
// the cheapest they came. Level, choice of model and trust in it are thereby one thing, learned from what happened.
type mixer struct {
	fleets
	factors [offsetCount]float64

	ledgers []ledger
	busy    []bool    // whether the decisions of the last lead were made in busy times, a ring by step
	shares  []float64 // of each expert in what is served; they add up to 1
	covers  []float64 // of each expert, now
	costs   []float64 // of each expert, in the newest block

	elsewhere float64 // what a cost counts for in the other book
}

func newMixer(o Options, t *track, candidates, day int) *mixer {
	n := candidates * offsetCount
	m := &mixer{
		fleets: newFleets(o.Contract.ShortageCost, t, n), busy: make([]bool, t.lead+1), shares: make([]float64, n), covers: make([]float64, n), costs: make([]float64, n),
		elsewhere: elsewhere,
	}
	half := float64(day)
	if day == 0 {
		half = stats.Clamp(float64(halfLife/t.Step), 100, 1440)
	}
	lives := memories()
	if !o.has(partMemories) {
		lives = []float64{1}
	}
	for _, life := range lives {
		m.ledgers = append(m.ledgers, newLedger(n, math.Exp2(-float64(m.block)/(half*life))))
	}
	for e := range m.shares {
		m.shares[e] = 1 / float64(n)
	}
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
	clear(m.shares)
	for k := range m.ledgers {
		m.ledgers[k].share(busy, m.elsewhere, 1/float64(len(m.ledgers)), m.shares)
	}
	return stats.Dot(m.shares, m.covers)
}

// observe charges every expert at the end of a block, for what it decided a lead ago.
func (m *mixer) observe(t *track, i int) {
	busy := m.busy[max(0, i-t.lead)%len(m.busy)]
	if m.charge(t, i, m.costs) {
		for k := range m.ledgers {
			m.ledgers[k].charge(busy, m.costs)
		}
	}
}

// weights returns each candidate's share in what is served.
func (m *mixer) weights(candidates int) []float64 {
	out := make([]float64, candidates)
	for e, w := range m.shares {
		out[e/offsetCount] += w
	}
	return out
}
