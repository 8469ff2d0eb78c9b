package forecaster

// TestAblation measures what each part of the forecaster is worth: it leaves the part out. It can
// leave out candidate models, by their names, and these other parts.
const (
	// partShifts looks for level shifts in the history.
	partShifts = "level shifts"
	// partGate compares the models with two simple rules, see scores. The models are not served when
	// their loss is larger than that of a rule.
	partGate = "floor and gate"
	// partBusyCosts keeps separate costs for quiet and for busy times, see otherLoadShare.
	partBusyCosts = "separate costs of quiet and of busy times"
	// partHalfLives keeps costs with three half-lives. Without it there is one, of a day.
	partHalfLives = "half-lives of six hours and of four days"
	// partMargins adds margins to the candidates, see weightedExperts.
	partMargins = "margins"
	// partReplicas counts costs in whole replicas, not in fractions.
	partReplicas = "whole replicas"
	// partGlobal uses the global model, alone and adapted to the series.
	partGlobal = "global model, in all its forms"
	// partSmoothed adds averages of a candidate over its last steps.
	partSmoothed = "smoothed candidates"
)
