package forecaster

// The parts that an ablation may leave out, beside candidates by their names: see TestAblation.
const (
	partShifts    = "level shifts"
	partGate      = "floor and gate"
	partBusyCosts = "separate costs of quiet and of busy times"
	partHalfLives = "half-lives of six hours and of four days"
	partMargins   = "margins"
	partReplicas  = "whole replicas"
)
