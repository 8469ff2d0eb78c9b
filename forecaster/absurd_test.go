package forecaster

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// absurdAt returns two weeks of demand in steps of five minutes, with some values replaced.
func absurdAt(replaced map[int]float64) Series {
	values := make([]float64, 14*288)
	for i := range values {
		values[i] = 100 + 80*math.Sin(2*math.Pi*float64(i)/288) + 5*math.Sin(float64(i)*1.7)
	}
	for i, v := range replaced {
		values[i] = v
	}
	return Series{Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: 5 * time.Minute, Values: values}
}

func absurdOutlook(t *testing.T, c Contract, s Series, updates int) (Outlook, Description) {
	t.Helper()
	f, err := New(Options{Step: s.Step, Lead: 2, Horizon: 12, Contract: c})
	if err != nil {
		t.Fatal(err)
	}
	n := len(s.Values) - updates
	if err := f.Start(Series{Start: s.Start, Step: s.Step, Values: s.Values[:n]}); err != nil {
		t.Fatal(err)
	}
	if err := f.Update(s.Values[n:]...); err != nil {
		t.Fatal(err)
	}
	return f.Outlook(), f.Describe()
}

// TestAbsurdSampleIsAGap checks that an absurd sample has the effect of a gap, to the bit: wherever
// it is, and whether the series is read at once or step by step.
func TestAbsurdSampleIsAGap(t *testing.T) {
	last := 14*288 - 1
	for name, at := range map[string][]int{"Early": {100}, "Late": {last - 300}, "Newest": {last}, "Two": {
		1000,
		last - 3,
	}} {
		for how, updates := range map[string]int{"": 0, "Updated": 350} {
			for kind, contract := range map[string]Contract{"Level": {ServiceLevel: 0.95}, "Cost": {ShortageCost: 20}} {
				t.Run(name+how+kind, func(t *testing.T) {
					quick := how+kind == "Level" || name+how+kind == "TwoUpdatedCost"
					if testing.Short() && !quick {
						t.Skip("five of sixteen combinations are enough for a quick look")
					}
					absurd, gaps := map[int]float64{}, map[int]float64{}
					for _, i := range at {
						absurd[i], gaps[i] = 3e6+float64(i), math.NaN()
					}
					got, description := absurdOutlook(t, contract, absurdAt(absurd), updates)
					want, _ := absurdOutlook(t, contract, absurdAt(gaps), updates)
					if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
						t.Errorf("-with a gap, +with an absurd sample\n%s", diff)
					}
					warned := slices.ContainsFunc(description.Warnings, func(w string) bool {
						return strings.Contains(w,
							"far above")
					})
					if name == "Early" && !warned {
						t.Errorf("no warning names it: %q", description.Warnings)
					}
				})
			}
		}
	}
}

// TestTenfoldDemandIsFollowed checks that a step of demand to ten times what it was is covered at
// once, and one to a thousand times after three steps.
func TestTenfoldDemandIsFollowed(t *testing.T) {
	for _, c := range []struct {
		factor float64
		after  int // steps
	}{{10, 1}, {1000, 3}} {
		s := absurdAt(nil)
		n := len(s.Values)
		for i := n - c.after; i < n; i++ {
			s.Values[i] *= c.factor
		}
		o, _ := absurdOutlook(t, Contract{ShortageCost: 20}, s, c.after)
		if newest := s.Values[n-1]; o.Cover[0] < newest*0.99 && o.Level < newest*0.3 {
			t.Errorf("%g times the demand: the level is %g and %g is covered of %g", c.factor, o.Level, o.Cover[0], newest)
		}
	}
}
