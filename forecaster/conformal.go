package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// An adaptiveMargin moves up when a window was missed and down when it was covered, so that in the
// long run the share of missed windows is the target (adaptive conformal inference, Gibbs and
// Candès 2021).
type adaptiveMargin struct {
	target float64 // share of windows that may be missed
	rate   float64 // how far a miss moves the margin
	margin float64 // on the scale of the estimates
}

// update takes the outcome of one window into account.
func (m *adaptiveMargin) update(missed bool) {
	miss := 0.0
	if missed {
		miss = 1
	}
	m.margin = stats.Clamp(m.margin+m.rate*(miss-m.target), -maxChange, maxChange)
}

const (
	// dayParts is how many parts of the day have a margin of their own.
	dayParts = 6
	// allRate is how far a miss moves the margin of all hours, in units of the mean error of the
	// estimate. partRate is how far it moves that of its part of the day, in units of the former.
	allRate, partRate = 0.10, 0.5
)

// conformalMargins calibrate to a service level. They add to one estimate the margins that keep the
// share of covered lead windows at the level: one for all hours, and one for each part of the day,
// since a model's errors differ between night and noon.
type conformalMargins struct {
	lead      int
	day       int // steps of a day; 0 when there is none
	all       adaptiveMargin
	parts     [dayParts]adaptiveMargin
	pending   []float64 // logs of what was decided in the last lead + 1 steps: a ring by step
	decisions int       // so far
}

// newConformalMargins returns margins of zero. meanError is that of the estimate.
func newConformalMargins(c Contract, lead, day int, meanError float64) *conformalMargins {
	m := &conformalMargins{lead: lead, day: day, pending: make([]float64, lead+1)}
	target := 1 - c.ServiceLevel
	// The rarer a miss may be, the more it says.
	rate := allRate * meanError / math.Sqrt(float64(lead+1)) / math.Pow(target, 0.25)
	m.all = adaptiveMargin{target: target, rate: rate}
	for k := range m.parts {
		m.parts[k] = adaptiveMargin{target: target, rate: partRate * rate}
	}
	return m
}

// part returns the part of the day that step i lies in.
func (m *conformalMargins) part(h *past.History, i int) int {
	if m.day < dayParts {
		return 0
	}
	at := (i + h.Offset(i)) % m.day
	return (at + m.day) % m.day * dayParts / m.day
}

// decide returns the estimate with its margins.
func (m *conformalMargins) decide(h *past.History, i int, estimates []float64) float64 {
	q := estimates[0] + m.all.margin + m.parts[m.part(h, i)].margin
	m.pending[i%len(m.pending)] = h.LevelAt(i) + q
	m.decisions++
	return h.Exp(h.LevelAt(i) + q)
}

// observe updates the margins by the window that step i completes.
func (m *conformalMargins) observe(h *past.History, i int) {
	from := i - m.lead
	if m.decisions <= m.lead || from < 0 || !h.ObservedAt(i) || !h.ObservedAt(from) {
		return
	}
	missed := h.WindowMaxAt(from) > m.pending[from%len(m.pending)]
	m.all.update(missed)
	m.parts[m.part(h, from)].update(missed)
}

// candidateWeights returns one weight: a single candidate is served.
func (m *conformalMargins) candidateWeights(candidates int) []float64 {
	w := make([]float64, candidates)
	w[0] = 1
	return w
}

// baseLevels are the service levels that candidates are fitted at for compared contracts, beside
// that of the contract. A margin on a quantile that is far away is a poor estimate.
func baseLevels() []float64 { return []float64{0.8, 0.95} }

// basesFor returns those of the base levels that some compared contract is nearest to.
func (s *state) basesFor() []float64 {
	var out []float64
	for _, level := range baseLevels() {
		if slices.ContainsFunc(s.served.others, func(d decider) bool {
			return nearestBase(s.opts.Contract.ServiceLevel, d.contract) == level
		}) {
			out = append(out, level)
		}
	}
	return out
}

// nearestBase returns the base level that is nearest to a contract; own where none is as near.
func nearestBase(own float64, c Contract) float64 {
	best := own
	for _, level := range baseLevels() {
		if (Contract{ServiceLevel: level}).apart(c) < (Contract{ServiceLevel: best}).apart(c) {
			best = level
		}
	}
	return best
}

// A levelBase is the candidate that some of the compared service levels share.
type levelBase struct {
	level     float64
	final     *candidateSet // fitted to all of the history
	set       *candidateSet // in use
	estimates []float64     // of the candidate, for the next step
}

// compareServiceLevels gives the deciders of the compared contracts their candidate and their
// margins. final is the candidate of the contract, which was fitted to rows.
func (s *state) compareServiceLevels(final *candidateSet, rows *regress.Design) {
	if len(s.served.others) == 0 {
		return
	}
	final.keepErrors(rows)
	for _, level := range s.basesFor() {
		b := &levelBase{level: level, final: s.newLevelCandidate(rows, level, final)}
		b.final.keepErrors(rows)
		s.served.bases = append(s.served.bases, b)
	}
	for k := range s.served.others {
		d := &s.served.others[k]
		from, set := s.opts.Contract, final
		for _, b := range s.served.bases {
			if c := (Contract{ServiceLevel: b.level}); c.apart(d.contract) < from.apart(d.contract) {
				d.base, from, set = b, c, b.final
			}
		}
		m := newConformalMargins(d.contract, s.history.Lead, s.periods.Day, set.meanError(rows))
		m.all.margin = set.distance(from, d.contract)
		d.calibrator = m
	}
}

// apart returns how many times as many windows one of two service levels may miss, as a logarithm.
func (c Contract) apart(other Contract) float64 {
	return math.Abs(math.Log((1 - c.ServiceLevel) / (1 - other.ServiceLevel)))
}
