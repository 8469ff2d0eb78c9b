package forecaster

// A servedEstimate is candidates under a calibrator, with the scores of what they decided.
type servedEstimate struct {
	set        *candidateSet
	calibrator calibrator
	estimates  []float64 // of the candidates, for the next step
	cover      float64   // demand to provision for at the next step
	scores     scores
}

// step takes the newest step of the history into account and estimates the next.
func (s *servedEstimate) step(h *history) {
	n := h.n()
	if n > 0 {
		s.calibrator.observe(h, n-1)
		s.scores.observe(h, n-1)
	}
	s.estimates = s.set.estimates(h, n, s.estimates)
	s.cover = s.scores.choose(h, n, s.calibrator.decide(h, n, s.estimates))
}

// A calibrator turns the candidates' estimates into the demand to provision for, as the contract
// asks, and learns from the outcome.
type calibrator interface {
	// decide returns the demand to provision for from step i on. It looks at the steps before i.
	decide(h *history, i int, estimates []float64) float64
	// observe takes step i, just known, into account.
	observe(h *history, i int)
	// candidateWeights returns the weight of each candidate in what is served.
	candidateWeights(candidates int) []float64
}
