package report

import (
	"math"
	"time"

	"headstart.dev/headstart/report/internal/slide"
)

// Figures measures one policy over the replayed steps. Steps without a value are not counted.
type Figures struct {
	// Unserved is the share of the demand that was not served.
	Unserved float64 `json:"unserved"`
	// Short is the share of the steps with unserved demand.
	Short float64 `json:"short"`
	// LongestShortfallSeconds is the length of the longest run of short steps.
	LongestShortfallSeconds float64 `json:"longestShortfallSeconds"`
	// Shortfalls is the number of runs of short steps, and MeanShortfallSeconds their mean length.
	Shortfalls           int     `json:"shortfalls"`
	MeanShortfallSeconds float64 `json:"meanShortfallSeconds"`
	// MeanReplicas and PeakReplicas are the mean and the maximum of the paid replicas.
	MeanReplicas float64 `json:"meanReplicas"`
	PeakReplicas float64 `json:"peakReplicas"`
	// ReplicaHours are the paid replicas times hours.
	ReplicaHours float64 `json:"replicaHours"`
	// GPUHours and Money follow from ReplicaHours. They are 0 if Options has no GPUs or no Price.
	GPUHours float64 `json:"gpuHours,omitempty"`
	Money    float64 `json:"money,omitempty"`
	// Utilisation is the demand as a share of the paid capacity.
	Utilisation float64 `json:"utilisation"`
	// Scalings is how often the number of paid replicas changed.
	Scalings int `json:"scalings"`
	// Cost is J: the paid replica-steps, plus the shortage cost times the unserved replica-steps.
	Cost float64 `json:"cost"`
	// ReplicasOverOracle and CostOverOracle are MeanReplicas and Cost, divided by the oracle's.
	ReplicasOverOracle float64 `json:"replicasOverOracle"`
	CostOverOracle     float64 `json:"costOverOracle"`
	// HeadstartHours are the replica-hours with which Headstart leaves as little demand unserved,
	// by its frontier. HeadstartUnserved is what it leaves unserved with as many replica-hours. Each
	// is nil if no setting of Headstart does.
	HeadstartHours    *float64 `json:"headstartHours,omitempty"`
	HeadstartUnserved *float64 `json:"headstartUnserved,omitempty"`
}

// shortBy is the smallest unserved demand that makes a step short. It allows for rounding.
const shortBy = 1e-9

// span is a part of a trace.
type span struct {
	t      *trace
	first  int       // the first step
	demand []float64 // a gap has the last known value
	known  []bool
}

// span returns the steps [a, b).
func (t *trace) span(a, b int) span {
	known := make([]bool, b-a)
	for i := range known {
		known[i] = !math.IsNaN(t.raw[a+i])
	}
	return span{t: t, first: a, demand: t.filled[a:b], known: known}
}

// follow returns the replicas that are paid, and the replicas that serve, for the desired replicas
// of a policy. stab is the stabilisation window in steps.
func (s span) follow(desired []float64, stab int) (paid, ready []float64) {
	paid = slide.BackwardMax(desired, stab)
	return paid, slide.BackwardMin(paid, s.t.lead)
}

// score returns the figures for the desired replicas of a policy.
func (s span) score(desired []float64, stab int) Figures {
	paid, ready := s.follow(desired, stab)
	var f Figures
	var steps, demand, unserved, lost, short, paidSteps, paidDemand float64 // lost is in replica-steps
	run, longest := 0, 0                                                    // lengths of runs of short steps
	for i, d := range s.demand {
		if i > 0 && paid[i] != paid[i-1] {
			f.Scalings++
		}
		if !s.known[i] {
			continue
		}
		capacity := s.t.serves(s.first + i)
		missing := max(0, d-ready[i]*capacity)
		steps++
		demand += d
		unserved += missing
		lost += missing / capacity
		paidSteps += paid[i]
		paidDemand += paid[i] * capacity
		f.PeakReplicas = max(f.PeakReplicas, paid[i])
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
	f.Unserved, f.Short, f.MeanReplicas = ratio(unserved, demand), ratio(short, steps), ratio(paidSteps, steps)
	f.Utilisation = ratio(demand, paidDemand)
	f.LongestShortfallSeconds = (time.Duration(longest) * s.t.step).Seconds()
	f.MeanShortfallSeconds = ratio(short, float64(f.Shortfalls)) * s.t.step.Seconds()
	f.ReplicaHours = paidSteps * s.t.step.Hours()
	f.GPUHours = f.ReplicaHours * s.t.gpus
	if f.Money = f.ReplicaHours * s.t.price; s.t.gpus > 0 {
		f.Money = f.GPUHours * s.t.price
	}
	f.Cost = paidSteps + s.t.shortageCost*lost
	return f
}

// against adds the comparison with the oracle.
func (f Figures) against(oracle Figures) Figures {
	f.ReplicasOverOracle = ratio(f.MeanReplicas, oracle.MeanReplicas)
	f.CostOverOracle = ratio(f.Cost, oracle.Cost)
	return f
}

// ratio returns a / b, and 0 if b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// oracle returns the desired replicas of the cheapest policy that serves all demand. It knows the
// future.
func (s span) oracle() []float64 {
	need := make([]float64, len(s.demand))
	for i, d := range s.demand {
		if s.known[i] {
			need[i] = math.Ceil(d / s.t.serves(s.first+i))
		}
	}
	need = slide.ForwardMax(need, s.t.lead)
	for i, n := range need {
		need[i] = max(float64(s.t.minReplicas), n)
	}
	return need
}
