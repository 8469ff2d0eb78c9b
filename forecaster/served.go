package forecaster

import "headstart.dev/headstart/forecaster/internal/past"

// A servedEstimate is candidates, and what is decided from their estimates.
type servedEstimate struct {
	set       *candidateSet
	estimates []float64        // of the candidates, for the next step
	decider                    // under the contract
	others    []decider        // under those of Options.Compare
	bases     []*levelBase     // of others, under a service level
	compared  *comparedExperts // of others; nil under a service level
}

// A decider decides under one contract, and scores what it decided.
type decider struct {
	contract   Contract
	calibrator calibrator
	cover      float64 // demand to provision for at the next step
	scores     scores
	margins    distantMargins
	base       *levelBase // whose estimates count; nil for those of the contract's own candidates
}

// step takes the newest step of the history into account and estimates the next.
func (s *servedEstimate) step(h *past.History) {
	s.estimates = s.set.estimates(h, h.N(), s.estimates)
	s.decider.step(h, s.estimates)
	if s.compared != nil {
		if h.N() > 0 {
			s.compared.observe(h, h.N()-1)
		}
		s.compared.decide(h, h.N(), s.estimates)
	}
	for _, b := range s.bases {
		b.estimates = b.set.estimates(h, h.N(), b.estimates)
	}
	for k := range s.others {
		estimates := s.estimates
		if b := s.others[k].base; b != nil {
			estimates = b.estimates
		}
		s.others[k].step(h, estimates)
	}
}

// step takes the newest step of the history into account and decides for the next.
func (d *decider) step(h *past.History, estimates []float64) {
	n := h.N()
	if n > 0 {
		d.calibrator.observe(h, n-1)
		d.scores.observe(h, n-1)
	}
	d.cover = d.scores.choose(h, n, d.calibrator.decide(h, n, estimates))
}

// A calibrator turns the candidates' estimates into the demand to provision for, as the contract
// asks, and learns from the outcome.
type calibrator interface {
	// decide returns the demand to provision for from step i on. It looks at the steps before i.
	decide(h *past.History, i int, estimates []float64) float64
	// observe takes step i, just known, into account.
	observe(h *past.History, i int)
	// candidateWeights returns the weight of each candidate in what is served.
	candidateWeights(candidates int) []float64
}
