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
