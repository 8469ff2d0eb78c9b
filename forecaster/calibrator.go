package forecaster

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
