package forecaster

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Weights are not negative, sum to the given total, and an expert that always cost less has no
// smaller one.
func TestWeightsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "experts")
		c := newTrailingCosts(n, rapid.Float64Range(0.5, 1).Draw(t, "decay"))
		for range rapid.IntRange(0, 30).Draw(t, "blocks") {
			costs := make([]float64, n)
			for e := range costs {
				costs[e] = rapid.Float64Range(0, 1e6).Draw(t, "cost")
			}
			costs[1] = costs[0] * 1.1
			c.add(rapid.Bool().Draw(t, "busy"), costs)
		}
		weights := make([]float64, n)
		c.addWeights(rapid.Bool().Draw(t, "busy"), otherLoadShare, 0.5, weights, make([]float64, n))
		sum := 0.0
		for e, w := range weights {
			if !(w >= 0) {
				t.Fatalf("expert %d has the weight %v", e, w)
			}
			sum += w
		}
		if math.Abs(sum-0.5) > 1e-9 || weights[1] > weights[0]+1e-12 {
			t.Fatalf("weights %v sum to %v, want half", weights, sum)
		}
	})
}

// For a month one expert is best, and then another one, by a little. Half a day later the short
// half-life prefers the other one, and the long one does not. What is served lies between.
func TestHalfLivesAdaptInTurn(t *testing.T) {
	const perDay = 24
	weightAfter := func(halfLife float64, hours int) float64 {
		c := newTrailingCosts(2, math.Exp2(-1/(perDay*halfLife)))
		for range 30 * perDay {
			c.add(true, []float64{1, 1.05})
		}
		for range hours {
			c.add(true, []float64{1.05, 1})
		}
		weights := make([]float64, 2)
		c.addWeights(true, otherLoadShare, 1, weights, make([]float64, 2))
		return weights[1]
	}
	short, day, long := weightAfter(0.25, 12), weightAfter(1, 12), weightAfter(4, 12)
	if !(short > 0.9 && day < short && long < 0.1) {
		t.Errorf("half a day after the change the better expert has the weights %.2f, %.2f and %.2f", short, day, long)
	}
	if late := weightAfter(4, 10*perDay); late < 0.9 {
		t.Errorf("ten days after it, with the longest half-life, it has %.2f", late)
	}
}
