package report

import (
	"math"
	"time"

	"headstart.dev/headstart/planner/plan"
)

// Figures are what a policy came to over the scored steps. Steps without a value count nowhere.
type Figures struct {
	// Unserved is the share of the demand that was not served.
	Unserved float64 `json:"unserved"`
	// Short is the share of steps in which some demand was not served.
	Short float64 `json:"short"`
	// LongestShortfallSeconds is the longest run of short steps.
	LongestShortfallSeconds float64 `json:"longestShortfallSeconds"`
	// Shortfalls is the number of such runs, and MeanShortfallSeconds how long they were: how long demand waits to be caught up with.
	Shortfalls           int     `json:"shortfalls"`
	MeanShortfallSeconds float64 `json:"meanShortfallSeconds"`
	// MeanReplicas that were paid.
	MeanReplicas float64 `json:"meanReplicas"`
	// PeakReplicas that were paid at most.
	PeakReplicas float64 `json:"peakReplicas"`
	// ReplicaHours that were paid.
	ReplicaHours float64 `json:"replicaHours"`
	// GPUHours and Money that came to; 0 where they are not known.
	GPUHours float64 `json:"gpuHours,omitempty"`
	Money    float64 `json:"money,omitempty"`
	// Utilisation is the demand over what the paid replicas could have served.
	Utilisation float64 `json:"utilisation"`
	// Scalings is how often the number of replicas changed.
	Scalings int `json:"scalings"`
	// Cost is J: paid replica-steps and the shortage cost times unserved replica-steps.
	Cost float64 `json:"cost"`
	// ReplicasOverOracle and CostOverOracle compare with the oracle.
	ReplicasOverOracle float64 `json:"replicasOverOracle"`
	CostOverOracle     float64 `json:"costOverOracle"`
}

// shortBy is what must be missing for a step to be short, in the unit of demand.
const shortBy = 1e-9

// span is a part of a trace that is scored.
type span struct {
	t      *trace
	demand []float64
	known  []bool
}

// span of the steps [a, b).
func (t *trace) span(a, b int) span {
	known := make([]bool, b-a)
	for i := range known {
		known[i] = !math.IsNaN(t.raw[a+i])
	}
	return span{t: t, demand: t.held[a:b], known: known}
}

// follow plays wishes through the loop: what is paid, and what serves.
func (s span) follow(wish []float64, stab int) (paid, ready []float64) {
	paid = backwardMax(wish, stab)
	return paid, backwardMin(paid, s.t.lead)
}

// score says what wishes come to; stab is how many steps a lower wish must last.
func (s span) score(wish []float64, stab int) Figures {
	paid, ready := s.follow(wish, stab)
	var f Figures
	var steps, total, unserved, short, bill float64
	run, longest := 0, 0
	for i, d := range s.demand {
		if i > 0 && paid[i] != paid[i-1] {
			f.Scalings++
		}
		if !s.known[i] {
			continue
		}
		missing := math.Max(0, d-ready[i]*s.t.capacity)
		steps++
		total += d
		unserved += missing
		bill += paid[i]
		f.PeakReplicas = math.Max(f.PeakReplicas, paid[i])
		run++
		if missing <= shortBy {
			run = 0
		} else {
			short++
			if run == 1 {
				f.Shortfalls++
			}
		}
		longest = max(longest, run)
	}
	f.Unserved, f.Short, f.MeanReplicas = ratio(unserved, total), ratio(short, steps), ratio(bill, steps)
	f.ReplicaHours = bill * s.t.step.Hours()
	f.Utilisation = ratio(total, bill*s.t.capacity)
	f.LongestShortfallSeconds = (time.Duration(longest) * s.t.step).Seconds()
	f.MeanShortfallSeconds = ratio(short, float64(f.Shortfalls)) * s.t.step.Seconds()
	f.GPUHours = f.ReplicaHours * s.t.gpus
	if f.Money = f.ReplicaHours * s.t.price; s.t.gpus > 0 {
		f.Money = f.GPUHours * s.t.price
	}
	f.Cost = bill + s.t.penalty*unserved/s.t.capacity
	return f
}

// against fills in the comparison with the oracle.
func (f Figures) against(oracle Figures) Figures {
	f.ReplicasOverOracle, f.CostOverOracle = ratio(f.MeanReplicas, oracle.MeanReplicas), ratio(f.Cost, oracle.Cost)
	return f
}

// ratio is a / b, and 0 where there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// oracle is the cheapest plan that serves everything.
func (s span) oracle() []float64 {
	need := make([]float64, len(s.demand))
	for i, d := range s.demand {
		if s.known[i] {
			need[i] = float64(plan.Replicas(d, s.t.capacity))
		}
	}
	need = forwardMax(need, s.t.lead)
	for i, n := range need {
		need[i] = math.Max(float64(s.t.least), n)
	}
	return need
}
