package forecaster

// Parts that an ablation may leave out, beside candidates by their names: see TestAblation.
const (
	partShifts   = "level shifts"
	partGate     = "floor and gate"
	partBooks    = "books of quiet and busy times"
	partMemories = "memories of hours and of days"
	partMargins  = "margins"
	partReplicas = "whole replicas"
)
