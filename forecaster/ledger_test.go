package forecaster

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Trust is shared out whole, nobody owes any, and who was cheaper all along has no less.
func TestSharesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "experts")
		l := newLedger(n, rapid.Float64Range(0.5, 1).Draw(t, "forget"))
		for range rapid.IntRange(0, 30).Draw(t, "blocks") {
			costs := make([]float64, n)
			for e := range costs {
				costs[e] = rapid.Float64Range(0, 1e6).Draw(t, "cost")
			}
			costs[1] = costs[0] * 1.1
			l.charge(rapid.Bool().Draw(t, "busy"), costs)
		}
		shares := make([]float64, n)
		l.share(rapid.Bool().Draw(t, "busy"), elsewhere, 0.5, shares)
		sum := 0.0
		for e, s := range shares {
			if !(s >= 0) {
				t.Fatalf("expert %d has %v of the trust", e, s)
			}
			sum += s
		}
		if math.Abs(sum-0.5) > 1e-9 || shares[1] > shares[0]+1e-12 {
			t.Fatalf("shares %v add up to %v, want half", shares, sum)
		}
	})
}

// After a month of one expert's being best another is, by a little. A short memory has gone over in half a day, and a long one has not; what is served lies between.
func TestMemoriesGoOverInTurn(t *testing.T) {
	const perDay = 24
	trust := func(life float64, hours int) float64 {
		l := newLedger(2, math.Exp2(-1/(perDay*life)))
		for range 30 * perDay {
			l.charge(true, []float64{1, 1.05})
		}
		for range hours {
			l.charge(true, []float64{1.05, 1})
		}
		shares := make([]float64, 2)
		l.share(true, elsewhere, 1, shares)
		return shares[1]
	}
	short, day, long := trust(0.25, 12), trust(1, 12), trust(4, 12)
	if !(short > 0.9 && day < short && long < 0.1) {
		t.Errorf("half a day after the change the memories trust the better one by %.2f, %.2f and %.2f", short, day, long)
	}
	if late := trust(4, 10*perDay); late < 0.9 {
		t.Errorf("ten days after it the longest trusts it by %.2f", late)
	}
}
