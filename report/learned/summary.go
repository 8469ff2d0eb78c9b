package learned

import (
	"math"
	"time"

	"headstart.dev/headstart/capacity"
)

// Summary is what is known about a capacity, for programs. Capacities are demand for each ready
// replica.
type Summary struct {
	// Configured counts without evidence. Used is what the plan is made with.
	Configured float64         `json:"configured"`
	Used       float64         `json:"used"`
	Source     capacity.Source `json:"source"`
	// Estimate is the largest load at which the objective is met, and Lower its lower confidence bound.
	// They are nil without evidence.
	Estimate *float64 `json:"estimate,omitempty"`
	Lower    *float64 `json:"lower,omitempty"`
	// AtLeast reports whether the service was never near its limit.
	AtLeast bool `json:"atLeast,omitempty"`
	// Carried is the largest load that was carried with the objective met.
	Carried *float64 `json:"carried,omitempty"`
	// Steps taught, and Missed of them missed the objective. Older ones count less.
	Steps  float64 `json:"steps"`
	Missed float64 `json:"missed"`
	// Since is the first step that counts.
	Since *time.Time `json:"since,omitempty"`
	// Missing says what a better estimate needs. It is empty where nothing is missing.
	Missing capacity.Missing `json:"missing,omitempty"`
	// AtMost is the objective in the unit of the latency, and Attain the share of steps that must meet it.
	AtMost float64 `json:"atMost"`
	Attain float64 `json:"attain"`
	// AtConfigured and AtLearned are what the replayed plan costs when replicas are counted by the
	// configured capacity, and by the learned one. They are nil without a replay.
	AtConfigured *Cost `json:"atConfigured,omitempty"`
	AtLearned    *Cost `json:"atLearned,omitempty"`
	// Curve is latency at loads per replica, and Moves are changes of the capacity in use.
	Curve []CurvePoint `json:"curve,omitempty"`
	Moves []Move       `json:"moves,omitempty"`
}

// CurvePoint is the latency at one load per replica.
type CurvePoint struct {
	Load float64 `json:"load"`
	// Median was not exceeded in half of the steps, and Quantile not in the share Attain.
	Median   float64 `json:"median"`
	Quantile float64 `json:"quantile"`
	Steps    float64 `json:"steps"`
	Missed   float64 `json:"missed"`
}

// Cost is what a plan costs at a capacity.
type Cost struct {
	ReplicaHours float64 `json:"replicaHours"`
	Money        float64 `json:"money,omitempty"`
	// Unserved is the share of the demand that was not served.
	Unserved float64 `json:"unserved"`
	// Met is the share of the steps that meet the objective, by how often steps at the same load per
	// replica met it. It is nil where no limit was seen.
	Met *float64 `json:"met,omitempty"`
}

// MaxMoves bounds the moves of a Summary.
const MaxMoves = 24

// Summarise returns what a track has found.
func (t *Track) Summarise(in Input) Summary {
	configured, _ := in.Settings.Capacity()
	e, l := t.Estimate, in.Settings.Learn
	s := Summary{
		Configured: configured, Used: t.Capacity(), Source: e.Source, AtLeast: e.AtLeast,
		Estimate: known(e.Capacity), Lower: known(e.Lower), Carried: known(e.Carried),
		Steps: e.Steps, Missed: e.Missed, Missing: e.Missing, AtMost: l.AtMost, Attain: l.Attain,
		Moves: t.NewestMoves(MaxMoves),
	}
	if !e.Since.IsZero() {
		since := e.Since.UTC()
		s.Since = &since
	}
	for _, p := range t.Points {
		s.Curve = append(s.Curve, CurvePoint(p))
	}
	return s
}

// known returns a figure, or nil where it is not known.
func known(v float64) *float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
