package weights

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Input is what was measured, step by step. All series have the same length. A value that is not
// known is NaN.
type Input struct {
	Start time.Time
	Step  time.Duration
	// Terms are the kinds of work, of all replicas together.
	Terms [][]float64
	// Given are the weights of the terms so far, all above 0.
	Given    []float64
	Latency  []float64
	Replicas []float64
	// AtMost is the objective, in the unit of Latency.
	AtMost float64
}

// MaxTerms bounds the terms.
const MaxTerms = 8

func (in Input) validate() error {
	n := len(in.Latency)
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
	switch {
	case len(in.Terms) != len(in.Given):
		return fmt.Errorf("%d terms have %d weights", len(in.Terms), len(in.Given))
	case len(in.Terms) > MaxTerms:
		return fmt.Errorf("%d terms: at most %d are weighed", len(in.Terms), MaxTerms)
	case in.Step <= 0:
		return fmt.Errorf("a step of %s: it must be above 0", in.Step)
	case !positive(in.AtMost):
		return fmt.Errorf("an objective of at most %v: it must be above 0", in.AtMost)
	case len(in.Replicas) != n:
		return errors.New("latency and replicas have different lengths")
	}
	for i, t := range in.Terms {
		if len(t) != n {
			return fmt.Errorf("term %d and latency have different lengths", i)
		}
		if !positive(in.Given[i]) {
			return fmt.Errorf("a weight of %v: it must be above 0", in.Given[i])
		}
	}
	return nil
}

// Verdict says whether other weights are better, and if not, why.
type Verdict string

// The verdicts.
const (
	// Better: other weights explain latency clearly better.
	Better Verdict = "Better"
	// GivenFit: no other weights are clearly better than those that were given.
	GivenFit Verdict = "GivenFit"
	// OneTerm: there is nothing to weigh.
	OneTerm Verdict = "OneTerm"
	// FewDays: too few days have enough busy steps that teach.
	FewDays Verdict = "FewDays"
	// NeverBusy: latency was always far below the objective. It then says how long a request alone
	// takes, and not what others add.
	NeverBusy Verdict = "NeverBusy"
	// SameMix: the terms rise and fall together, so that any weights would do as well.
	SameMix Verdict = "SameMix"
	// SmallChange: other weights are better, and change the work too little to be worth it. Only
	// [Evidence.Learn] says so.
	SmallChange Verdict = "SmallChange"
)

// Estimate is what the measurements say about the weights.
type Estimate struct {
	Verdict Verdict
	// Weights are those that fit best; those that were given unless Verdict is Better. They keep
	// the mean of the load in busy steps as it is.
	Weights []float64
	// Days were judged. On BetterDays of them Weights left less of the latency unexplained than
	// those that were given, and on all of them together a share of Gain less.
	Days, BetterDays int
	Gain             float64
}

const (
	// enoughDays are needed to judge, with enoughBlocks each on the mean.
	enoughDays, enoughBlocks = 7, 12
	// Other weights are better if they are so on so large a share of the days, and by so much.
	betterShare, betterGain = 0.8, 0.05
	// near is the share of the objective that latency must come up to.
	near = 0.5
	// leastMix is by how much, relatively, the mix of the terms must vary.
	leastMix = 0.03
	folds    = 4 // the days are judged in so many groups, each by a regression on the others
)

// Find estimates the weights. It fails on an Input that is not valid.
func Find(in Input) (Estimate, error) {
	if err := in.validate(); err != nil {
		return Estimate{}, fmt.Errorf("weights: %w", err)
	}
	return find(in.blocks(), in.Given), nil
}

// find estimates the weights from blocks.
func find(all []block, given []float64) Estimate {
	out := Estimate{Verdict: OneTerm, Weights: append([]float64(nil), given...)}
	if len(given) < 2 {
		return out
	}
	blocks := busy(all, given)
	days := map[int]bool{}
	for _, b := range blocks {
		days[b.day] = true
	}
	if out.Days = len(days); out.Days < enoughDays || len(blocks) < enoughDays*enoughBlocks {
		out.Verdict = FewDays
		return out
	}
	m := newMix(blocks, given)
	switch {
	case m.highLatency() < near:
		out.Verdict = NeverBusy
		return out
	case !(m.varies() >= leastMix):
		out.Verdict = SameMix
		return out
	}
	out.BetterDays, out.Gain = m.judge()
	out.Verdict = GivenFit
	if float64(out.BetterDays) >= betterShare*float64(out.Days) && out.Gain >= betterGain {
		out.Verdict, out.Weights = Better, m.weights(m.search(func(block) bool { return true }))
	}
	return out
}
